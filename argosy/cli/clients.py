"""`argosy clients`."""

from typing import Annotated

import typer

from argosy.cli.console import JsonOption, OrganizationOption, done, session, show, show_secret

clients = typer.Typer(help="OAuth2 clients: identities of services.", no_args_is_help=True)
COLUMNS = ("client_id", "name", "scopes", "redirect_uris", "last_used_at", "revoked_at")
ClientId = Annotated[str, typer.Argument(help="The client's `client_id`.")]
Overlap = Annotated[int, typer.Option(help="Seconds the former secret is good still.", min=0)]


@clients.command("list")
def list_clients(org: OrganizationOption = None, json: JsonOption = False) -> None:
    """List the organization's OAuth2 clients."""
    with session() as client:
        show(list(client.clients(organization=org)), json, COLUMNS)


@clients.command("create")
def create_client(
    name: Annotated[str, typer.Argument(help="What the client is for.")],
    scope: Annotated[list[str], typer.Option(help="Repeat it for several.")],
    redirect_uri: Annotated[
        list[str] | None, typer.Option(help="Where a person who allowed the client is sent; repeat it for several.")
    ] = None,
    org: OrganizationOption = None,
    json: JsonOption = False,
) -> None:
    """Make an OAuth2 client; its secret is shown this once."""
    with session() as client:
        made = client.create_client(name, scope, redirect_uri or None, organization=org)
        show_secret(made, made.client_secret, json, ("client_id", "name", "scopes", "redirect_uris"))


@clients.command("rotate")
def rotate_client(
    client_id: ClientId, overlap: Overlap = 3600, org: OrganizationOption = None, json: JsonOption = False
) -> None:
    """Give an OAuth2 client a new secret, shown this once; the former one is good for a while."""
    with session() as client:
        made = client.rotate_client(client_id, overlap_seconds=overlap, organization=org)
        show_secret(made, made.client_secret, json, ("client_id", "name", "former_until"))


@clients.command("revoke")
def revoke_client(client_id: ClientId, org: OrganizationOption = None, json: JsonOption = False) -> None:
    """Revoke an OAuth2 client with all it was given, at once."""
    with session() as client:
        client.revoke_client(client_id, organization=org)
        done(json, f"Revoked {client_id}.", revoked=client_id)
