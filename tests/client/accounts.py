"""New accounts on a server that counts registrations and sign-ins by address."""

import secrets
import sys

import httpx2

from argosy.client import Argosy
from tests.support.callers import ALL_SCOPES, PASSWORD
from tests.support.servers import ServerProcess


def new_account(server: ServerProcess, *scopes: str) -> Argosy:
    """Return a client with the API key of a new account, made from an address of its own; `scopes` are more of them."""
    username = f"user-{secrets.token_hex(4)}"
    with Argosy(server.url, username=username, password=PASSWORD, transport=_own_transport()) as person:
        person.register(f"{username}@example.org", username, PASSWORD)
        key = person.create_api_key("tests", [*ALL_SCOPES, *scopes]).key
    return Argosy(server.url, api_key=key, organization=username)


def _own_transport() -> httpx2.HTTPTransport:
    if sys.platform != "linux":  # only there all of 127.0.0.0/8 is this machine
        return httpx2.HTTPTransport()
    return httpx2.HTTPTransport(local_address="127." + ".".join(str(1 + secrets.randbelow(253)) for _ in range(3)))
