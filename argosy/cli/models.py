"""`argosy models`, `argosy versions` and `argosy alias`."""

from pathlib import Path
from typing import Annotated

import typer

from argosy.cli.console import JsonOption, out, session, show, show_json

models = typer.Typer(help="Models.", no_args_is_help=True)
versions = typer.Typer(help="Versions of a model.", no_args_is_help=True)
alias = typer.Typer(help="Aliases of a model.", no_args_is_help=True)
MODEL_COLUMNS = ("full_name", "visibility", "last_version", "aliases", "description")
VERSION_COLUMNS = ("model", "version", "status", "metrics", "created_at")
ALIAS_COLUMNS = ("name", "version", "updated_at")
ModelName = Annotated[str, typer.Argument(help="`name` or `organization/name`.")]
Number = Annotated[int, typer.Argument(help="Version number.", min=1)]


@models.command("list")
def list_models(
    search: Annotated[str | None, typer.Option(help="Text in the name.")] = None, json: JsonOption = False
) -> None:
    """List the models you can see."""
    with session() as client:
        show(list(client.models(search)), json, MODEL_COLUMNS)


@models.command("get")
def get_model(name: ModelName, json: JsonOption = False) -> None:
    """Show a model."""
    with session() as client:
        show(client.model(name), json, MODEL_COLUMNS)


@models.command("create")
def create_model(
    name: Annotated[str, typer.Argument(help="The model's name.")],
    description: Annotated[str | None, typer.Option()] = None,
    public: Annotated[bool, typer.Option("--public", help="Let everyone with an account see and call it.")] = False,
    json: JsonOption = False,
) -> None:
    """Make a model."""
    with session() as client:
        visibility = "public" if public else "private"
        show(client.create_model(name, description=description, visibility=visibility), json, MODEL_COLUMNS)


@models.command("update")
def update_model(
    name: ModelName,
    description: Annotated[str | None, typer.Option()] = None,
    visibility: Annotated[str | None, typer.Option(help="private or public")] = None,
    json: JsonOption = False,
) -> None:
    """Change a model."""
    changes = {key: value for key, value in {"description": description, "visibility": visibility}.items() if value}
    with session() as client:
        show(client.update_model(name, **changes), json, MODEL_COLUMNS)


@models.command("delete")
def delete_model(name: ModelName, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete a model with its versions."""
    if not yes:
        typer.confirm(f"Delete {name} with all its versions?", abort=True)
    with session() as client:
        client.delete_model(name)


@versions.command("list")
def list_versions(name: ModelName, json: JsonOption = False) -> None:
    """List the versions of a model."""
    with session() as client:
        show(list(client.versions(name)), json, VERSION_COLUMNS)


@versions.command("get")
def get_version(name: ModelName, number: Number, json: JsonOption = False) -> None:
    """Show a version and what its parity report says."""
    with session() as client:
        version = client.version(name, number)
        show(version, json, VERSION_COLUMNS)
        if json:
            return
        if version.parity:
            show(version.parity.checks, False, ("kind", "rows", "passed", "reason"))
        if version.error:
            out.print(f"{version.error.reason}\n{version.error.advice or ''}", highlight=False)


@versions.command("compare")
def compare_versions(name: ModelName, a: Number, b: Number) -> None:
    """Show what differs between two versions, as JSON."""
    with session() as client:
        show_json(client.compare(name, a, b))


@versions.command("signature")
def show_signature(name: ModelName, number: Number) -> None:
    """Show a version's signature and JSON Schema, as JSON."""
    with session() as client:
        show_json(client.signature(name, number))


@versions.command("download")
def download(
    name: ModelName,
    number: Number,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    source: Annotated[bool, typer.Option("--source", help="What was uploaded, not the ONNX.")] = False,
) -> None:
    """Save a version's artifact."""
    with session() as client:
        written = client.download(name, number, output, kind="source" if source else "onnx")
        out.print(f"{written} ({written.stat().st_size} bytes)", highlight=False)


@alias.command("list")
def list_aliases(name: ModelName, json: JsonOption = False) -> None:
    """List the aliases of a model."""
    with session() as client:
        show(client.aliases(name), json, ALIAS_COLUMNS)


@alias.command("set")
def set_alias(
    name: ModelName, alias: Annotated[str, typer.Argument()], number: Number, json: JsonOption = False
) -> None:
    """Point an alias at a version."""
    with session() as client:
        show(client.set_alias(name, alias, number), json, ALIAS_COLUMNS)


@alias.command("remove")
def remove_alias(name: ModelName, alias: Annotated[str, typer.Argument()]) -> None:
    """Remove an alias."""
    with session() as client:
        client.remove_alias(name, alias)


@alias.command("history")
def alias_history(name: ModelName, alias: Annotated[str, typer.Argument()], json: JsonOption = False) -> None:
    """Show where an alias has pointed."""
    with session() as client:
        show(list(client.alias_history(name, alias)), json, ("alias", "from_version", "to_version", "created_at"))
