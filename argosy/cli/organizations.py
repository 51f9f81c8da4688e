"""`argosy keys` and `argosy orgs`."""

from typing import Annotated

import typer

from argosy.cli.console import JsonOption, out, session, show

keys = typer.Typer(help="API keys.", no_args_is_help=True)
orgs = typer.Typer(help="Organizations.", no_args_is_help=True)
KEY_COLUMNS = ("id", "name", "prefix", "scopes", "expires_at", "revoked_at")
ORGANIZATION_COLUMNS = ("slug", "name", "personal")


@keys.command("list")
def list_keys(json: JsonOption = False) -> None:
    """List the organization's API keys."""
    with session() as client:
        show(list(client.api_keys()), json, KEY_COLUMNS)


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[list[str], typer.Option(help="Repeat it for several.")],
    expires_at: Annotated[str | None, typer.Option(help="RFC 3339 time.")] = None,
    json: JsonOption = False,
) -> None:
    """Make an API key; its secret is shown this once."""
    with session() as client:
        made = client.create_api_key(name, scope, expires_at)
        show(made, json, ("id", "name", "scopes"))
        if not json:
            out.print(made.key, highlight=False)


@keys.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Argument()]) -> None:
    """Revoke an API key, at once."""
    with session() as client:
        client.revoke_api_key(key_id)


@orgs.command("list")
def list_organizations(json: JsonOption = False) -> None:
    """List the organizations you belong to."""
    with session() as client:
        show(list(client.organizations()), json, ORGANIZATION_COLUMNS)


@orgs.command("create")
def create_organization(
    slug: Annotated[str, typer.Argument()], name: Annotated[str, typer.Argument()], json: JsonOption = False
) -> None:
    """Make an organization."""
    with session() as client:
        show(client.create_organization(slug, name), json, ORGANIZATION_COLUMNS)
