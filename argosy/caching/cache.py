"""Answers that may be given again: in the memory of one process, bounded by bytes and age."""

import hashlib
import time
from collections import OrderedDict
from uuid import UUID

from argosy.caching.repository import ResponseCachingRepository
from argosy.events.freshness import Freshness
from argosy.kit.db.session import Database
from argosy.signature.tensors import Batch

MOST_MODELS = 10_000
OVERHEAD = 200


class ResponseCache:
    """Keeps predictions as JSON by version and input; what was used longest ago goes first."""

    def __init__(self, database: Database, freshness: Freshness, capacity: int) -> None:
        self._database = database
        self._freshness = freshness
        self._capacity = capacity
        self._lifetimes: dict[UUID, tuple[int, int | None]] = {}
        self._kept: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self._bytes = 0

    async def lifetime(self, model_id: UUID) -> int | None:
        """Return for how many seconds a model's answers are kept; None: they are not. A change is seen by events."""
        stamp = self._freshness.stamp
        known = self._lifetimes.get(model_id)
        if known is None or known[0] != stamp:
            if len(self._lifetimes) >= MOST_MODELS:
                self._lifetimes.clear()
            async with self._database.read() as session:
                found = await ResponseCachingRepository(session).of(model_id)
            known = self._lifetimes[model_id] = (stamp, found.ttl_seconds if found and found.enabled else None)
        return known[1]

    def get(self, key: bytes) -> bytes | None:
        """Return what is kept, if it is not too old."""
        found = self._kept.get(key)
        if found is None:
            return None
        if found[0] <= time.monotonic():
            self._forget(key)
            return None
        self._kept.move_to_end(key)
        return found[1]

    def put(self, key: bytes, predictions: bytes, lifetime: int) -> None:
        """Keep predictions, unless they alone would take a good part of the room."""
        if len(predictions) > self._capacity // 8:
            return
        self._forget(key)
        self._kept[key] = (time.monotonic() + lifetime, predictions)
        self._bytes += len(predictions) + OVERHEAD
        while self._bytes > self._capacity:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: bytes) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._bytes -= len(found[1]) + OVERHEAD


def key_of(version_id: UUID, revision: int, batch: Batch) -> bytes:
    """Return the key of an input: that of its tensors, however the request was spelt."""
    digest = hashlib.blake2b(version_id.bytes + revision.to_bytes(8, "big"), digest_size=32)
    for name in sorted(batch.tensors):
        values = batch.tensors[name]
        digest.update(f"{name!r} {values.dtype.str} {values.shape}".encode())
        if values.dtype == object:
            for value in values.flat:
                text = str(value).encode()
                digest.update(len(text).to_bytes(8, "big") + text)
        else:
            digest.update(values.tobytes())
    return digest.digest()
