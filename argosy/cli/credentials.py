"""Who the command line calls as: `ARGOSY_URL` and `ARGOSY_API_KEY`, or what `argosy login` stored (mode 0600)."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from argosy.client import Argosy
from argosy.client.flows import Flow
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


class StoredClient(Argosy):
    """A client with the stored sign-in, whose refresh token it shares with every other command."""

    def __init__(self, stored: Stored, **options: Any) -> None:  # noqa: ANN401 - those of Argosy
        super().__init__(on_refresh=self._store, **stored.model_dump(), **options)
        self._stored = stored

    def _sign_in(self) -> Flow[None]:
        # Of several commands at once, one uses a refresh token up and stores the next before another reads it: the
        # server ends a sign-in whose token is used twice.
        with _turn():
            if self._is_stored():
                self.refresh_token = (load() or self._stored).refresh_token
            yield from super()._sign_in()

    def _store(self, refresh_token: str) -> None:
        if self._is_stored():
            save(self._stored.model_copy(update={"refresh_token": refresh_token}))

    def _is_stored(self) -> bool:
        """Tell whether nobody has signed out, or in as somebody else, meanwhile."""
        latest = load()
        return latest is not None and (latest.url, latest.username) == (self._stored.url, self._stored.username)


def open_client() -> Argosy:
    """Return a client for the environment's or the stored credentials; those go to the server they were stored for."""
    key, url = os.environ.get("ARGOSY_API_KEY"), os.environ.get("ARGOSY_URL")
    stored = load()
    if key or stored is None:
        return Argosy(url or (stored.url if stored else None), api_key=key)
    return Argosy(url) if url and default_url(url) != stored.url else StoredClient(stored)


@contextmanager
def _turn() -> Iterator[None]:
    """Wait for one's turn; it ends at the latest with the program."""
    if not path().exists():
        yield
        return
    with path().with_suffix(".lock").open("ab") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
