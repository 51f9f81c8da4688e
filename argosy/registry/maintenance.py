"""Collecting what nothing refers to: artifacts of uploads that were cut off and of deleted models."""

from datetime import timedelta

from argosy.engines.storage.base import ArtifactStore
from argosy.kit.clock import now
from argosy.kit.db.session import Database
from argosy.registry.repository import VersionRepository

GRACE = timedelta(minutes=5)
BATCH = 500


async def collect_orphans(database: Database, store: ArtifactStore, grace: timedelta = GRACE) -> int:
    """Delete artifacts older than the grace period that no version refers to; return how many."""
    before = now() - grace
    stale = await store.stale(before)
    removed = 0
    for start in range(0, len(stale), BATCH):
        batch = stale[start : start + BATCH]
        # In a write transaction: on SQLite no version can be registered between the look and the deletion.
        async with database.write() as session:
            orphans = set(batch) - await VersionRepository(session).referenced(batch)
            for digest in orphans:
                await store.delete(digest, stored_before=before)
        removed += len(orphans)
    return removed
