"""`argosy users`."""

from contextlib import suppress
from typing import Annotated
from uuid import UUID

import typer

from argosy.cli.console import JsonOption, refused, session, show
from argosy.client import Argosy

users = typer.Typer(help="The accounts of the platform, for administrators.", no_args_is_help=True)
COLUMNS = ("id", "username", "email", "full_name", "is_active", "is_admin", "email_verified_at")
Who = Annotated[str, typer.Argument(metavar="USER", help="A username or id.")]


@users.command("list")
def list_users(
    search: Annotated[str | None, typer.Option(help="Text in the name or address.")] = None,
    active: Annotated[
        bool | None, typer.Option("--active/--disabled", help="Only those who may sign in, or only those who may not.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the accounts."""
    with session() as client:
        show(list(client.users(search, active=active)), json, COLUMNS)


@users.command("disable")
def disable(user: Who, json: JsonOption = False) -> None:
    """Let somebody no longer sign in; every sign-in and key ends at once."""
    _change(user, json, is_active=False)


@users.command("enable")
def enable(user: Who, json: JsonOption = False) -> None:
    """Let somebody sign in again."""
    _change(user, json, is_active=True)


@users.command("promote")
def promote(user: Who, json: JsonOption = False) -> None:
    """Make somebody an administrator of the platform."""
    _change(user, json, is_admin=True)


@users.command("demote")
def demote(user: Who, json: JsonOption = False) -> None:
    """Take the administration of the platform away from somebody."""
    _change(user, json, is_admin=False)


def _change(who: str, as_json: bool, *, is_active: bool | None = None, is_admin: bool | None = None) -> None:
    with session() as client:
        changed = client.update_user(_find(client, who), is_active=is_active, is_admin=is_admin)
        show(changed, as_json, COLUMNS)


def _find(client: Argosy, who: str) -> UUID:
    with suppress(ValueError):
        return UUID(who)
    for account in client.users(who):
        if account.username == who:
            return account.id
    raise refused(f"there is no account {who!r}")
