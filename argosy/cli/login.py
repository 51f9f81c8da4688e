"""`argosy login` and `argosy logout`."""

import os
from typing import Annotated

import typer

from argosy.cli import credentials
from argosy.cli.console import JsonOption, ask_secret, done, err, failures
from argosy.client import Argosy, ArgosyAPIError, ArgosyConnectionError, RetryPolicy
from argosy.client.requests import default_url

GOODBYE_SECONDS = 10.0


def login(
    url: Annotated[str | None, typer.Option(help="The server; ARGOSY_URL or the local one if left out.")] = None,
    username: Annotated[str | None, typer.Option(help="Sign in with a password instead of a key.")] = None,
    client_id: Annotated[str | None, typer.Option(help="Sign in as an OAuth2 client; its secret is asked.")] = None,
    json: JsonOption = False,
) -> None:
    """Store how to call: paste an API key, or give a username or an OAuth2 client and type the secret."""
    where = default_url(url)
    with failures():
        if username is not None and client_id is not None:
            raise ValueError("give --username or --client-id, not both")
        if client_id is not None:
            who = _with_client(where, client_id)
        else:
            who = _with_key(where) if username is None else _with_password(where, username)
    done(json, f"Signed in to {where} as {who}.", url=where, username=who)
    if os.environ.get("ARGOSY_API_KEY"):
        err.print("ARGOSY_API_KEY is set and goes before what is stored.")


def _with_key(where: str) -> str:
    key = ask_secret("API key").strip()
    with Argosy(where, api_key=key) as client:
        who = client.me().username
    credentials.replace(credentials.Stored(url=where, api_key=key))
    return who


def _with_password(where: str, username: str) -> str:
    password = ask_secret("Password")
    with Argosy(where, username=username, password=password) as client:
        who = client.me().username
        credentials.replace(credentials.Stored(url=where, username=username, refresh_token=client.refresh_token))
    return who


def _with_client(where: str, client_id: str) -> str:
    secret = ask_secret("Client secret").strip()
    with Argosy(where, client_id=client_id, client_secret=secret) as client:
        client.me()
    credentials.replace(credentials.Stored(url=where, client_id=client_id, client_secret=secret))
    return client_id


def logout(json: JsonOption = False) -> None:
    """End the stored sign-in on the server, where it can be reached, and forget it here."""
    with failures():
        stored = credentials.load()
    if stored is not None and stored.refresh_token is not None:
        _end(stored)
    credentials.forget()
    done(json, "Signed out.", stored=str(credentials.path()))


def _end(stored: credentials.Stored) -> None:
    try:
        with credentials.StoredClient(stored, timeout=GOODBYE_SECONDS, retries=RetryPolicy(attempts=1)) as client:
            client.sign_out()
    except (ArgosyAPIError, ArgosyConnectionError) as error:
        err.print(f"The server did not end the sign-in: {error}", markup=False, soft_wrap=True)
