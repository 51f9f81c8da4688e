"""Who the command line calls as: `ARGOSY_URL` and `ARGOSY_API_KEY`, or what `argosy login` stored (mode 0600)."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import typer
from pydantic import BaseModel

from argosy.client import Argosy
from argosy.client.requests import default_url

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class Stored(BaseModel):
    """A stored sign-in."""

    url: str
    api_key: str | None = None
    username: str | None = None
    refresh_token: str | None = None
    client_id: str | None = None
    client_secret: str | None = None


def path() -> Path:
    """Return the file the sign-in is stored in."""
    return Path(typer.get_app_dir("argosy")) / "credentials.json"


def load() -> Stored | None:
    """Return the stored sign-in, if there is one."""
    try:
        return Stored.model_validate_json(path().read_bytes())
    except FileNotFoundError:
        return None


def save(stored: Stored) -> None:
    """Store a sign-in, readable by its owner only."""
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(json.dumps(stored.model_dump(exclude_none=True)))
    draft.replace(file)


def forget() -> None:
    """Remove the stored sign-in."""
    path().unlink(missing_ok=True)


def replace(stored: Stored) -> None:
    """Store a sign-in in the place of another, when no command is renewing that one."""
    with _turn():
        save(stored)


@contextmanager
def open_client() -> Iterator[Argosy]:
    """Open a client for the environment's or the stored credentials."""
    key, url = os.environ.get("ARGOSY_API_KEY"), os.environ.get("ARGOSY_URL")
    if not key:
        with open_stored(url) as client:
            yield client
        return
    stored = None if url else load()
    with Argosy(stored.url if stored else url, api_key=key) as client:
        yield client


@contextmanager
def open_stored(url: str | None = None, **options: Any) -> Iterator[Argosy]:  # noqa: ANN401 - those of Argosy
    """Open a client for the stored credentials, which go to no other server than the one they were stored for."""
    # Of several commands at once, one uses a refresh token up and stores the next before another reads it: the server
    # ends a sign-in whose token is used twice.
    with _turn() as turn:
        stored = load()
        if stored is not None and url and default_url(url) != stored.url:
            stored = None

        def keep(refresh_token: str) -> None:
            if stored is not None:
                save(stored.model_copy(update={"refresh_token": refresh_token}))
            turn.close()

        if stored is None or stored.refresh_token is None:
            turn.close()
        with Argosy(stored.url if stored else url, on_refresh=keep, **_credentials(stored), **options) as client:
            yield client


def _credentials(stored: Stored | None) -> dict[str, Any]:
    return {} if stored is None else stored.model_dump(exclude={"url"})


def _turn() -> IO[bytes]:
    """Wait for one's turn; it ends when the file is closed, at the latest with the program."""
    if not path().exists():
        return BytesIO()
    file = path().with_suffix(".lock").open("ab")
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX)
    return file
