"""Who the command line calls as: `ARGOSY_URL` and `ARGOSY_API_KEY`, or what `argosy login` stored (mode 0600)."""

import json
import os
from io import BytesIO
from pathlib import Path
from typing import IO

import typer
from pydantic import BaseModel

from argosy.client import Argosy

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


def open_client() -> Argosy:
    """Return a client for the environment's or the stored credentials."""
    # Of several commands at once, one uses a refresh token up and stores the next before another reads it: the server
    # ends a sign-in whose token is used twice.
    turn = _turn()
    stored = load()
    url = os.environ.get("ARGOSY_URL") or (stored.url if stored else None)
    if os.environ.get("ARGOSY_API_KEY") or stored is None or stored.refresh_token is None:
        turn.close()
        return Argosy(url, api_key=None if stored is None or os.environ.get("ARGOSY_API_KEY") else stored.api_key)

    def keep(refresh_token: str) -> None:
        save(stored.model_copy(update={"refresh_token": refresh_token}))
        turn.close()

    return Argosy(url, username=stored.username, refresh_token=stored.refresh_token, on_refresh=keep)


def _turn() -> IO[bytes]:
    """Wait for one's turn; it ends when the file is closed, at the latest with the program."""
    if not path().exists():
        return BytesIO()
    file = path().with_suffix(".lock").open("ab")
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX)
    return file
