"""`argosy models`."""

from typing import Annotated

import typer

from argosy.cli.console import JsonOption, ModelName, YesOption, delete, session, show
from argosy.client import Argosy
from argosy.client.requests import given

models = typer.Typer(help="Models.", no_args_is_help=True)
COLUMNS = ("full_name", "visibility", "last_version", "aliases", "description")


@models.command("list")
def list_models(
    search: Annotated[str | None, typer.Option(help="Text in the name.")] = None, json: JsonOption = False
) -> None:
    """List the models you can see."""
    with session() as client:
        show(list(client.models(search)), json, COLUMNS)


@models.command("get")
def get_model(name: ModelName, json: JsonOption = False) -> None:
    """Show a model."""
    with session() as client:
        show(client.model(name), json, COLUMNS)


@models.command("create")
def create_model(
    name: Annotated[str, typer.Argument(help="The model's name.")],
    description: Annotated[str | None, typer.Option()] = None,
    task: Annotated[str | None, typer.Option(help="What it does, such as classification.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Repeat it for several.")] = None,
    public: Annotated[bool, typer.Option("--public", help="Let everyone with an account see and call it.")] = False,
    json: JsonOption = False,
) -> None:
    """Make a model."""
    with session() as client:
        visibility = "public" if public else "private"
        made = client.create_model(name, description=description, task=task, tags=tag, visibility=visibility)
        show(made, json, COLUMNS)


@models.command("update")
def update_model(
    name: ModelName,
    description: Annotated[str | None, typer.Option(help="An empty text removes it.")] = None,
    visibility: Annotated[str | None, typer.Option(help="private or public")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="All of its tags; repeat it for several.")] = None,
    json: JsonOption = False,
) -> None:
    """Change a model; what is left out stays."""
    with session() as client:
        changes = given(description=description, visibility=visibility, tags=tag)
        if not changes:
            raise ValueError("give --description, --visibility or --tag")
        if description == "":
            changes["description"] = None
        show(client.update_model(name, **changes), json, COLUMNS)


@models.command("delete")
def delete_model(
    name: ModelName,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Delete a model with its versions."""
    delete(name, Argosy.delete_model, f"Delete {name} with all its versions?", yes=yes, as_json=json)
