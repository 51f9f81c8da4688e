"""Who the command line calls as: `ARGOSY_URL` and `ARGOSY_API_KEY`, or what `argosy login` stored (mode 0600)."""

import json
import os
from pathlib import Path

import typer
from pydantic import BaseModel

from argosy.client import Argosy


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
    stored = load()
    if os.environ.get("ARGOSY_API_KEY") or stored is None:
        return Argosy(os.environ.get("ARGOSY_URL") or (stored.url if stored else None))
    url = os.environ.get("ARGOSY_URL") or stored.url
    return Argosy(url, api_key=stored.api_key, username=stored.username, refresh_token=stored.refresh_token)


def keep_refreshed(client: Argosy) -> None:
    """Store the refresh token that a call was answered with: the one before it is used up."""
    stored = load()
    if stored and client.refresh_token and stored.refresh_token != client.refresh_token:
        save(stored.model_copy(update={"refresh_token": client.refresh_token}))
