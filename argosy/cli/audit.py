"""`argosy audit`."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from argosy.cli.console import JsonOption, OrganizationOption, done, refused, session, show

audit = typer.Typer(help="What happened: who did what, when, and from where.", no_args_is_help=True)
COLUMNS = ("sequence", "at", "action", "subject", "actor_kind", "actor_id", "address", "details")
PlatformOption = Annotated[
    bool, typer.Option("--platform", help="The log of what happens outside of organizations, for administrators.")
]


@audit.command("list")
def list_audit(
    action: Annotated[str | None, typer.Option(help="Such as api_key.created.")] = None,
    actor: Annotated[str | None, typer.Option(help="Id of who did it.")] = None,
    since: Annotated[str | None, typer.Option(help="RFC 3339 time.")] = None,
    until: Annotated[str | None, typer.Option(help="RFC 3339 time, exclusive.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 100,
    org: OrganizationOption = None,
    platform: PlatformOption = False,
    json: JsonOption = False,
) -> None:
    """Show what happened, newest first."""
    with session() as client:
        _one_log(org, platform)
        only = {"action": action, "actor_id": actor, "since": since, "until": until}
        found = client.platform_audit(**only) if platform else client.audit(**only, organization=org)
        show(list(islice(found, limit)), json, COLUMNS)


@audit.command("verify")
def verify_audit(org: OrganizationOption = None, platform: PlatformOption = False, json: JsonOption = False) -> None:
    """Check that no entry was changed, removed or moved; exit with 1 if one was."""
    with session() as client:
        _one_log(org, platform)
        found = client.verify_platform_audit() if platform else client.verify_audit(organization=org)
        show(found, json, ("intact", "entries", "broken_at", "head"))
    if not found.intact:
        raise refused(f"the log is broken at entry {found.broken_at}")


@audit.command("export")
def export_audit(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    org: OrganizationOption = None,
    json: JsonOption = False,
) -> None:
    """Save the log as JSON lines, hashes included."""
    with session() as client:
        written = client.export_audit(output, organization=org)
        done(json, f"{written} ({written.stat().st_size} bytes)", path=str(written))


def _one_log(org: str | None, platform: bool) -> None:
    if org is not None and platform:
        raise ValueError("give --org or --platform, not both")
