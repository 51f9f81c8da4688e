"""`argosy keys`."""

from typing import Annotated

import typer

from argosy.cli.console import JsonOption, done, say, session, show

keys = typer.Typer(help="API keys.", no_args_is_help=True)
COLUMNS = ("id", "name", "prefix", "scopes", "expires_at", "revoked_at")


@keys.command("list")
def list_keys(json: JsonOption = False) -> None:
    """List the organization's API keys."""
    with session() as client:
        show(list(client.api_keys()), json, COLUMNS)


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
            say(made.key or "")


@keys.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Argument()], json: JsonOption = False) -> None:
    """Revoke an API key, at once."""
    with session() as client:
        client.revoke_api_key(key_id)
        done(json, f"Revoked {key_id}.", revoked=key_id)
