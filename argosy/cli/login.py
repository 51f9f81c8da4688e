"""`argosy login` and `argosy logout`."""

import os
from typing import Annotated

import typer

from argosy.cli import credentials
from argosy.cli.console import JsonOption, done, err, failures
from argosy.client import Argosy
from argosy.client.requests import default_url


def login(
    url: Annotated[str | None, typer.Option(help="The server; ARGOSY_URL or the local one if left out.")] = None,
    username: Annotated[str | None, typer.Option(help="Sign in with a password instead of a key.")] = None,
    json: JsonOption = False,
) -> None:
    """Store how to call: paste an API key, or give a username and type the password."""
    where = default_url(url)
    with failures():
        who = _with_key(where) if username is None else _with_password(where, username)
    done(json, f"Signed in to {where} as {who}.", url=where, username=who)
    if os.environ.get("ARGOSY_API_KEY"):
        err.print("ARGOSY_API_KEY is set and goes before what is stored.")


def _with_key(where: str) -> str:
    key = typer.prompt("API key", hide_input=True, err=True).strip()
    with Argosy(where, api_key=key) as client:
        who = client.me().username
    credentials.save(credentials.Stored(url=where, api_key=key))
    return who


def _with_password(where: str, username: str) -> str:
    password = typer.prompt("Password", hide_input=True, err=True)
    with Argosy(where, username=username, password=password) as client:
        who = client.me().username
        credentials.save(credentials.Stored(url=where, username=username, refresh_token=client.refresh_token))
    return who


def logout(json: JsonOption = False) -> None:
    """Forget the stored sign-in."""
    credentials.forget()
    done(json, "Signed out.", stored=str(credentials.path()))
