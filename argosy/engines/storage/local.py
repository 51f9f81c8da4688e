"""Artifact storage in a local folder: staged, synced and renamed, so that a blob appears whole or not at all."""

import asyncio
import hashlib
import os
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from argosy.engines.storage.base import CHUNK, Stored

_DIGEST = re.compile(r"[0-9a-f]{64}")


class LocalArtifactStore:
    """Blobs under `root/ab/abcdef…`; drafts under `root/staging`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._staging = root / "staging"
        self._staging.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def put(self, source: BinaryIO) -> Stored:
        """Store what a file holds, from its start."""
        return await asyncio.to_thread(self._put, source)

    def _put(self, source: BinaryIO) -> Stored:
        source.seek(0)
        digest, size = hashlib.sha256(), 0
        descriptor, draft = tempfile.mkstemp(dir=self._staging)
        try:
            with os.fdopen(descriptor, "wb") as target:
                while chunk := source.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
            path = self._path(digest.hexdigest())
            path.parent.mkdir(exist_ok=True, mode=0o700)
            Path(draft).replace(path)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(draft).unlink()
            raise
        _sync_folder(path.parent)
        return Stored(digest.hexdigest(), size)

    async def size(self, digest: str) -> int:
        """Return a blob's size; raises `FileNotFoundError`."""
        return (await asyncio.to_thread(self._path(digest).stat)).st_size

    async def read(self, digest: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Stream a range of a blob's bytes."""
        file = await asyncio.to_thread(self._path(digest).open, "rb")
        try:
            await asyncio.to_thread(file.seek, start)
            left = None if end is None else end - start
            while left is None or left > 0:
                chunk = await asyncio.to_thread(file.read, CHUNK if left is None else min(CHUNK, left))
                if not chunk:
                    return
                left = None if left is None else left - len(chunk)
                yield chunk
        finally:
            file.close()

    async def fetch(self, digest: str) -> Path:
        """Return the blob's own file."""
        path = self._path(digest)
        await asyncio.to_thread(path.stat)
        return path

    async def delete(self, digest: str, *, stored_before: datetime) -> None:
        """Remove a blob, unless it was stored again since."""
        await asyncio.to_thread(self._delete, self._path(digest), stored_before.timestamp())

    def _delete(self, path: Path, before: float) -> None:
        if path.exists() and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)

    async def stale(self, before: datetime) -> list[str]:
        """Return the blobs stored before a time, and drop drafts from then."""
        return await asyncio.to_thread(self._stale, before.timestamp())

    def _stale(self, before: float) -> list[str]:
        for draft in self._staging.iterdir():
            if draft.stat().st_mtime < before:
                draft.unlink(missing_ok=True)
        blobs = (path for path in self._root.glob("??/*") if _DIGEST.fullmatch(path.name))
        return [path.name for path in blobs if path.stat().st_mtime < before]

    def _path(self, digest: str) -> Path:
        # The only place where a name becomes a path: nothing but a digest may pass.
        if not _DIGEST.fullmatch(digest):
            raise ValueError("not a SHA-256 digest")
        return self._root / digest[:2] / digest


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
