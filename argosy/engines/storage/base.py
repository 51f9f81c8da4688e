"""The port to artifact storage: content-addressed blobs, named by the SHA-256 of their bytes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Stored:
    """A blob in the store: its SHA-256 in hex and its size in bytes."""

    digest: str
    size: int


class ArtifactStore(Protocol):
    """Keeps blobs. A blob appears whole or not at all, and never changes."""

    async def put(self, source: BinaryIO) -> Stored:
        """Store what a file holds, from its start; storing the same bytes again does nothing."""
        ...

    async def size(self, digest: str) -> int:
        """Return a blob's size; raises `FileNotFoundError`."""
        ...

    def read(self, digest: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Stream the bytes `start` (inclusive) to `end` (exclusive)."""
        ...

    async def fetch(self, digest: str) -> Path:
        """Return a local file with the blob's bytes, to be read only."""
        ...

    async def delete(self, digest: str, *, stored_before: datetime) -> None:
        """Remove a blob, unless it was stored again since."""
        ...

    async def stale(self, before: datetime) -> list[str]:
        """Return the blobs stored before a time, and drop leftovers of interrupted writes from then."""
        ...
