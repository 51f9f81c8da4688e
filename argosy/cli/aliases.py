"""`argosy alias`."""

from typing import Annotated

import typer

from argosy.cli.console import JsonOption, ModelName, Number, done, session, show

alias = typer.Typer(help="Aliases of a model.", no_args_is_help=True)
COLUMNS = ("name", "version", "updated_at")
AliasName = Annotated[str, typer.Argument(metavar="ALIAS", help="`live`, `champion`, …")]


@alias.command("list")
def list_aliases(name: ModelName, json: JsonOption = False) -> None:
    """List the aliases of a model."""
    with session() as client:
        show(client.aliases(name), json, COLUMNS)


@alias.command("set")
def set_alias(name: ModelName, alias: AliasName, number: Number, json: JsonOption = False) -> None:
    """Point an alias at a version."""
    with session() as client:
        show(client.set_alias(name, alias, number), json, COLUMNS)


@alias.command("remove")
def remove_alias(name: ModelName, alias: AliasName, json: JsonOption = False) -> None:
    """Remove an alias."""
    with session() as client:
        client.remove_alias(name, alias)
        done(json, f"Removed {alias}.", removed=alias)


@alias.command("history")
def alias_history(name: ModelName, alias: AliasName, json: JsonOption = False) -> None:
    """Show where an alias has pointed, newest first."""
    with session() as client:
        show(list(client.alias_history(name, alias)), json, ("alias", "from_version", "to_version", "created_at"))
