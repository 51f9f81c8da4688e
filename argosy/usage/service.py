"""Reading usage, and the meter that writes it."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from typing import Any
from uuid import UUID

from argosy.kit.clock import today
from argosy.kit.db.session import Database, ReadSession
from argosy.kit.logs import get_logger
from argosy.kit.principal import Principal
from argosy.usage.journal import Entry, Journal, Segment
from argosy.usage.repository import UsageRepository
from argosy.usage.schemas import GroupBy, UsageRead, UsageRow

COLUMNS: dict[GroupBy, tuple[str, ...]] = {
    GroupBy.KEY: ("principal_kind", "principal_id"),
    GroupBy.MODEL: ("model",),
    GroupBy.VERSION: ("model", "version"),
    GroupBy.DAY: ("day",),
}
# Calls and rows by model, version and day.
Counts = dict[tuple[str, int, date], tuple[int, int]]
log = get_logger(__name__)


class UsageReader:
    """Answers questions about usage."""

    def __init__(self, session: ReadSession) -> None:
        self.usage = UsageRepository(session)

    async def totals(
        self,
        principal: Principal,
        group_by: Sequence[GroupBy],
        *,
        since: date | None = None,
        until: date | None = None,
        model: str | None = None,
    ) -> UsageRead:
        """Return calls and rows of the caller's organization."""
        columns = list(dict.fromkeys(name for group in group_by for name in COLUMNS[group]))
        found = await self.usage.totals(principal, columns, since, until, model)
        items = [UsageRow.model_validate(row) for row in found if row["calls"]]
        return UsageRead(items=items, calls=sum(item.calls for item in items), rows=sum(item.rows for item in items))

    async def counts(self, principal: Principal, since: date) -> Counts:
        """Return the counters of the caller's organization from a day on."""
        found = await self.usage.totals(principal, ("model", "version", "day"), since, None, None)
        return {(row["model"], row["version"], row["day"]): (int(row["calls"]), int(row["rows"])) for row in found}


class Meter:
    """Counts answered calls: into the journal at once, into the database in batches."""

    def __init__(self, database: Database, journal: Journal, interval: float) -> None:
        self._database = database
        self._journal = journal
        self._interval = interval

    @staticmethod
    def entry(principal: Principal, model_id: UUID, model: str, version: int, rows: int) -> bytes:
        """Return what is noted for a call of today."""
        return Entry(
            day=today(),
            organization_id=principal.organization_id,
            principal_kind=principal.kind,
            principal_id=principal.id,
            model_id=model_id,
            model=model,
            version=version,
            rows=rows,
        ).line()

    def record(self, entries: bytes) -> None:
        """Note calls, before their answers leave."""
        self._journal.append(entries)

    async def run(self) -> None:
        """Flush until cancelled, and then once more."""
        try:
            while True:
                await self._try_flush()
                await asyncio.sleep(self._interval)
        finally:
            await asyncio.shield(self._try_flush())

    async def flush(self) -> None:
        """Count every closed segment, this process's current one included."""
        self._journal.rotate()
        for segment in self._journal.abandoned():
            await self._count(segment)

    async def _try_flush(self) -> None:
        try:
            await self.flush()
        except Exception:
            # The segments stay, and are counted at the next flush.
            log.exception("usage_flush_failed")

    async def _count(self, segment: Segment) -> None:
        with suppress(FileNotFoundError):
            rows = _sum(segment)
            async with self._database.write() as session:
                usage = UsageRepository(session)
                if await usage.count_segment(segment.id):
                    await usage.add_counts(rows)
            segment.path.unlink()


def _sum(segment: Segment) -> list[dict[str, Any]]:
    calls: Counter[tuple[tuple[str, Any], ...]] = Counter()
    rows: Counter[tuple[tuple[str, Any], ...]] = Counter()
    for entry, count in segment.entries():
        fields = asdict(entry)
        amount = fields.pop("rows")
        key = tuple(fields.items())
        calls[key] += count
        rows[key] += amount * count
    return [{**dict(key), "calls": count, "rows": rows[key]} for key, count in calls.items()]
