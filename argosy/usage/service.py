"""Reading usage, and the meter that writes it."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from argosy.kit.clock import today
from argosy.kit.db.session import Database, ReadSession
from argosy.kit.errors import invalid
from argosy.kit.logs import get_logger
from argosy.kit.pagination import CursorPage, PageQuery, to_page
from argosy.kit.principal import Principal
from argosy.kit.sides import Side
from argosy.usage.export import csv_head, csv_lines
from argosy.usage.journal import FAILURES, Entry, Failure, Journal, Segment
from argosy.usage.models import COUNTERS
from argosy.usage.repository import UsageRepository
from argosy.usage.schemas import Figures, GroupBy, UsageCursorPage, UsageFilter, UsagePage, UsageRow, UsageSort

COLUMNS: dict[GroupBy, tuple[str, ...]] = {
    GroupBy.KEY: ("principal_kind", "principal_id"),
    GroupBy.CUSTOMER: ("customer",),
    GroupBy.MODEL: ("model",),
    GroupBy.VERSION: ("model", "version"),
    GroupBy.PRODUCT: ("product_id",),
    GroupBy.DAY: ("day",),
}
# What one side of a sale does not group by.
FOREIGN = {Side.CUSTOMER: GroupBy.CUSTOMER, Side.VENDOR: GroupBy.KEY}
# Calls, rows, refused calls and errors: by model, version and day.
Amounts = tuple[int, int, int, int]
Counts = dict[tuple[str, int, date], Amounts]
log = get_logger(__name__)


class Used(NamedTuple):
    """Answered calls, and their rows."""

    calls: int
    rows: int


class UsageReader:
    """Answers questions about usage."""

    def __init__(self, session: ReadSession) -> None:
        self.usage = UsageRepository(session)

    async def page(
        self,
        principal: Principal,
        group_by: Sequence[GroupBy],
        only: UsageFilter,
        query: PageQuery,
        sort: UsageSort | None,
    ) -> UsagePage | UsageCursorPage:
        """Return a page of what the caller's organization used, and the figures over all pages."""
        names = columns(group_by, sort, only.side)
        found = await self.usage.group_page(principal, names, only, query, sort)
        page = to_page(found.listing, UsageRow.of)
        figures = dict(Figures.of(found.sum))
        shape = UsageCursorPage if isinstance(page, CursorPage) else UsagePage
        return shape.model_construct(**(dict(page) | figures))

    async def export(
        self, principal: Principal, group_by: Sequence[GroupBy], only: UsageFilter, sort: UsageSort | None
    ) -> AsyncIterator[bytes]:
        """Return the same as CSV, part by part as the database gives it."""
        names = columns(group_by, sort, only.side)
        yield csv_head(names)
        async for part in self.usage.stream(principal, names, only, sort):
            yield csv_lines(names, part)

    async def of_order_items(self, item_ids: Collection[UUID], since: date, until: date) -> dict[UUID, Used]:
        """Return what was used of items of orders, by item; of those of which nothing was used, nothing."""
        found = await self.usage.of_order_items(item_ids, since, until)
        return {item: Used(calls, rows) for item, calls, rows in found}

    async def counts(self, principal: Principal, since: date) -> Counts:
        """Return the counters of the caller's organization from a day on."""
        found = await self.usage.sums(principal, ("model", "version", "day"), UsageFilter(since=since))
        return {
            (row["model"], row["version"], row["day"]): (row["calls"], row["rows"], row["refused"], row["errors"])
            for row in found
        }


def columns(group_by: Sequence[GroupBy], sort: UsageSort | None, side: Side) -> list[str]:
    """Return the columns to group by; raises `Invalid` for what the side may not ask for, and for an order by no group.

    Which of a customer's keys calls a product is none of its vendor's business.
    """
    if FOREIGN[side] in group_by:
        raise invalid(["query", "group_by"], f"a {side} cannot group by {FOREIGN[side]}")
    names = list(dict.fromkeys(name for group in group_by for name in COLUMNS[group]))
    if sort in {UsageSort.DAY, UsageSort.LATEST_DAY} and "day" not in names:
        raise invalid(["query", "sort"], "days can be sorted where group_by has day")
    return names


class Meter:
    """Counts calls: into the journal at once, into the database in batches."""

    def __init__(self, database: Database, journal: Journal, interval: float) -> None:
        self._database = database
        self._journal = journal
        self._interval = interval

    @staticmethod
    def entry(
        principal: Principal,
        model_id: UUID,
        model: str,
        version: int,
        rows: int,
        outcome: str,
        product_id: UUID | None = None,
        order_item_id: UUID | None = None,
    ) -> bytes:
        """Return what is noted for a call of today; for its outcome, see `Entry`."""
        return Entry(
            day=today(),
            organization_id=principal.organization_id,
            principal_kind=principal.kind,
            principal_id=principal.id,
            model_id=model_id,
            model=model,
            version=version,
            rows=rows,
            outcome=outcome,
            product_id=product_id,
            order_item_id=order_item_id,
        ).line()

    def record(self, entries: bytes) -> None:
        """Note calls, before their answers leave."""
        self._journal.append(entries)

    def failed(
        self, principal: Principal, model_id: UUID, model: str, version: int, status: int, product_id: UUID | None
    ) -> None:
        """Note a call that a version did not answer, before the error leaves."""
        self.record_failures(self.entry(principal, model_id, model, version, 0, Failure.of(status), product_id))

    def record_failures(self, entries: bytes) -> None:
        """Note calls that were not answered, before their errors leave."""
        try:
            self.record(entries)
        except OSError as error:
            # Whoever called is to be told what went wrong first, which is not this.
            log.warning("usage_error_uncounted", error=repr(error))

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
            rows, of_items = _sum(segment)
            async with self._database.write() as session:
                usage = UsageRepository(session)
                if await usage.count_segment(segment.id):
                    await usage.add_counts(rows, of_items)
            segment.path.unlink()


def _sum(segment: Segment) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the sums of a segment's entries: of callers, and of items of orders."""
    sums: dict[tuple[tuple[str, Any], ...], Counter[str]] = defaultdict(Counter)
    of_items: dict[tuple[UUID, UUID, date], Counter[str]] = defaultdict(Counter)
    for entry, count in segment.entries():
        fields = asdict(entry)
        rows, outcome, item = fields.pop("rows"), fields.pop("outcome"), fields.pop("order_item_id")
        counts = sums[tuple(fields.items())]
        if outcome:
            counts[outcome] += count
        if outcome not in FAILURES:
            answered = {"calls": count, "rows": rows * count}
            counts.update(answered)
            if item is not None:
                of_items[entry.organization_id, item, entry.day].update(answered)
    callers = [{**dict(key), **{name: counts[name] for name in COUNTERS}} for key, counts in sums.items()]
    return callers, [
        {"organization_id": key[0], "order_item_id": key[1], "day": key[2], **counts}
        for key, counts in of_items.items()
    ]
