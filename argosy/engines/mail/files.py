"""Mail as files, for one machine: each message is an `.eml` that its owner alone can read."""

import asyncio
import os
from pathlib import Path

from argosy.engines.mail.base import Mail
from argosy.kit.logs import get_logger

log = get_logger(__name__)


class FileMailer:
    """Writes messages to a folder; the log says which, never what."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, mail: Mail) -> None:
        """Write a message; the same one again replaces itself."""
        path = await asyncio.to_thread(self._write, mail)
        log.info("mail_written", path=str(path))

    def _write(self, mail: Mail) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{mail.id}.eml"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(bytes(mail.message(self._sender)))
        return path
