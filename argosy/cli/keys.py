"""`argosy keys`."""

from typing import Annotated

import typer

from argosy.cli.console import JsonOption, OrganizationOption, done, session, show, show_secret

keys = typer.Typer(help="API keys.", no_args_is_help=True)
COLUMNS = ("id", "name", "prefix", "scopes", "models", "networks", "expires_at", "revoked_at")
Overlap = Annotated[int, typer.Option(help="Seconds the former secret is good still.", min=0)]
Scopes = Annotated[list[str], typer.Option(help="Repeat it for several.")]


@keys.command("list")
def list_keys(org: OrganizationOption = None, json: JsonOption = False) -> None:
    """List the organization's API keys."""
    with session() as client:
        show(list(client.api_keys(organization=org)), json, COLUMNS)


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Scopes,
    expires_at: Annotated[str | None, typer.Option(help="RFC 3339 time.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="Only this model; repeat it for several.")] = None,
    network: Annotated[
        list[str] | None, typer.Option(help="Only from this address or network; repeat it for several.")
    ] = None,
    org: OrganizationOption = None,
    json: JsonOption = False,
) -> None:
    """Make an API key; its secret is shown this once."""
    with session() as client:
        models = [one if "/" in one or org is None else f"{org}/{one}" for one in model or []]
        made = client.create_api_key(
            name,
            scope,
            expires_at,
            models=[client.full_name(one) for one in models] or None,
            networks=network or None,
            organization=org,
        )
        show_secret(made, made.key, json, ("id", "name", "scopes", "models", "networks"))


@keys.command("rotate")
def rotate_key(
    key_id: Annotated[str, typer.Argument()],
    overlap: Overlap = 3600,
    org: OrganizationOption = None,
    json: JsonOption = False,
) -> None:
    """Give an API key a new secret, shown this once; the former one is good for a while."""
    with session() as client:
        made = client.rotate_api_key(key_id, overlap_seconds=overlap, organization=org)
        show_secret(made, made.key, json, ("id", "name", "scopes", "former_until"))


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument()], org: OrganizationOption = None, json: JsonOption = False
) -> None:
    """Revoke an API key, at once."""
    with session() as client:
        client.revoke_api_key(key_id, organization=org)
        done(json, f"Revoked {key_id}.", revoked=key_id)
