"""`argosy login` and `argosy logout`."""

import os
from typing import Annotated

import typer

from argosy.cli import credentials
from argosy.cli.console import err, failures, out
from argosy.client import Argosy
from argosy.client.requests import default_url


def login(
    url: Annotated[str | None, typer.Option(help="The server; ARGOSY_URL or the local one if left out.")] = None,
    username: Annotated[str | None, typer.Option(help="Sign in with a password instead of a key.")] = None,
) -> None:
    """Store how to call: paste an API key, or give a username and type the password."""
    where = default_url(url)
    with failures():
        if username is None:
            key = typer.prompt("API key", hide_input=True).strip()
            with Argosy(where, api_key=key) as client:
                who = client.me().username
            credentials.save(credentials.Stored(url=where, api_key=key))
        else:
            password = typer.prompt("Password", hide_input=True)
            with Argosy(where, username=username, password=password) as client:
                client.sign_in()
                who = client.me().username
                stored = credentials.Stored(url=where, username=username, refresh_token=client.refresh_token)
            credentials.save(stored)
    out.print(f"Signed in to {where} as {who}.", highlight=False)
    if os.environ.get("ARGOSY_API_KEY"):
        err.print("ARGOSY_API_KEY is set and goes before what is stored.")


def logout() -> None:
    """Forget the stored sign-in."""
    credentials.forget()
    out.print("Signed out.")
