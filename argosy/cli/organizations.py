"""`argosy orgs`."""

from typing import Annotated

import typer

from argosy.cli.console import JsonOption, session, show

orgs = typer.Typer(help="Organizations.", no_args_is_help=True)
COLUMNS = ("slug", "name", "personal")
Slug = Annotated[str, typer.Argument(help="The organization's slug.")]


@orgs.command("list")
def list_organizations(json: JsonOption = False) -> None:
    """List the organizations you belong to."""
    with session() as client:
        show(list(client.organizations()), json, COLUMNS)


@orgs.command("create")
def create_organization(slug: Slug, name: Annotated[str, typer.Argument()], json: JsonOption = False) -> None:
    """Make an organization."""
    with session() as client:
        show(client.create_organization(slug, name), json, COLUMNS)


@orgs.command("get")
def get_organization(slug: Slug, json: JsonOption = False) -> None:
    """Show an organization."""
    with session() as client:
        show(client.get_organization(slug), json, COLUMNS)


@orgs.command("members")
def list_members(slug: Slug, json: JsonOption = False) -> None:
    """List the members of an organization."""
    with session() as client:
        show(list(client.members(slug)), json, ("user_id", "role"))
