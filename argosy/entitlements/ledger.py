"""The ledger of a quota, shared by every process: what is taken from it is never more than there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from sqlalchemy import Table, select, update

from argosy.entitlements.models import Entitlement, EntitlementPeriod
from argosy.entitlements.repository import in_force
from argosy.kit.clock import now
from argosy.kit.db import dialects
from argosy.kit.db.session import Database, WriteSession
from argosy.kit.ids import new_id
from argosy.products.plans import Period
from argosy.usage.models import CountedSegment

# What a plan does not bound is counted all the same.
BOUNDLESS = 2**60
MOST, PART = 512, 32


@dataclass(frozen=True, slots=True)
class Terms:
    """What an entitlement grants, as a process knows it."""

    id: UUID
    revision: int
    product_id: UUID | None
    order_item_id: UUID | None
    period: Period
    calls: int | None
    rows: int | None
    rate: int | None
    ends_at: datetime | None

    @classmethod
    def of(cls, row: Entitlement) -> Self:
        """Return the terms of a row."""
        return cls(
            id=row.id,
            revision=row.revision,
            product_id=row.product_id,
            order_item_id=row.order_item_id,
            period=row.period,
            calls=row.calls,
            rows=row.rows,
            rate=row.rate_per_second,
            ends_at=row.ends_at,
        )


@dataclass(frozen=True, slots=True)
class Units:
    """Calls and rows."""

    calls: int = 0
    rows: int = 0

    def __bool__(self) -> bool:
        return bool(self.calls or self.rows)

    def __add__(self, other: Self) -> "Units":
        return Units(self.calls + other.calls, self.rows + other.rows)


@dataclass(frozen=True, slots=True)
class Lease:
    """What was taken, and what the ledger has left beside it; `taken` is None when there was not enough."""

    taken: Units | None
    left: Units


@dataclass(frozen=True, slots=True)
class Held:
    """What a process that is gone held of an entitlement's quota in one period."""

    entitlement_id: UUID
    start: datetime
    units: Units


class Ended(Exception):
    """The entitlement lets nobody in any more."""


class Changed(Exception):
    """The entitlement counts by another period than the terms that were gone by."""

    def __init__(self, terms: Terms) -> None:
        super().__init__()
        self.terms = terms


def share(left: int, needed: int) -> int:
    """Return how much is leased at once: the less, the less there is, so that none lies idle where others want it."""
    return min(left, max(needed, min(MOST, left // PART))) if needed else 0


class Ledger:
    """Takes from the ledger and puts back, in transactions of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lease(self, terms: Terms, start: datetime, needed: Units) -> Lease:
        """Take what is needed, and more where there is plenty, by the terms that hold now.

        Raises `Ended`, `Changed`, and what a database raises that is away: nothing is spent then.
        """
        async with self._database.write() as session:
            entitlement, taken = await _locked(session, terms.id, start)
            if entitlement.period is not terms.period:
                raise Changed(Terms.of(entitlement))
            calls = BOUNDLESS if entitlement.calls is None else entitlement.calls - taken.calls
            rows = BOUNDLESS if entitlement.rows is None else entitlement.rows - taken.rows
            left = Units(max(0, calls), max(0, rows))
            if needed.calls > left.calls or needed.rows > left.rows:
                return Lease(None, left)
            more = Units(share(left.calls, needed.calls), share(left.rows, needed.rows))
            statement = (
                update(EntitlementPeriod)
                .where(
                    EntitlementPeriod.entitlement_id == terms.id,
                    EntitlementPeriod.period_start == start,
                    EntitlementPeriod.calls_taken + more.calls <= (entitlement.calls or BOUNDLESS),
                    EntitlementPeriod.rows_taken + more.rows <= (entitlement.rows or BOUNDLESS),
                )
                .values(
                    calls_taken=EntitlementPeriod.calls_taken + more.calls,
                    rows_taken=EntitlementPeriod.rows_taken + more.rows,
                )
                .returning(EntitlementPeriod.id)
                .execution_options(synchronize_session=False)
            )
            done = (await session.execute(statement)).scalar_one_or_none()
        if done is None:
            return Lease(None, left)
        return Lease(more, Units(left.calls - more.calls, left.rows - more.rows))

    async def put_back(self, entitlement_id: UUID, start: datetime, units: Units) -> None:
        """Put back what was not spent."""
        async with self._database.write() as session:
            statement = (
                update(EntitlementPeriod)
                .where(EntitlementPeriod.entitlement_id == entitlement_id, EntitlementPeriod.period_start == start)
                .values(
                    calls_taken=EntitlementPeriod.calls_taken - units.calls,
                    rows_taken=EntitlementPeriod.rows_taken - units.rows,
                )
            )
            await session.execute(statement.execution_options(synchronize_session=False))

    async def reclaim(self, notes_id: UUID, held: Sequence[Held]) -> None:
        """Put back what a process held that is gone: once, however often and by whomever its notes are found."""
        async with self._database.write() as session:
            if not await _is_first(session, notes_id):
                return
            for one in held:
                statement = (
                    update(EntitlementPeriod)
                    .where(
                        EntitlementPeriod.entitlement_id == one.entitlement_id,
                        EntitlementPeriod.period_start == one.start,
                        # Less was taken than was held: the ledger is of another time than the notes.
                        EntitlementPeriod.calls_taken >= one.units.calls,
                        EntitlementPeriod.rows_taken >= one.units.rows,
                    )
                    .values(
                        calls_taken=EntitlementPeriod.calls_taken - one.units.calls,
                        rows_taken=EntitlementPeriod.rows_taken - one.units.rows,
                    )
                )
                await session.execute(statement.execution_options(synchronize_session=False))


async def _is_first(session: WriteSession, notes_id: UUID) -> bool:
    """Note that some notes are settled, beside the segments of usage; False when they were before."""
    table = CountedSegment.__table__
    assert isinstance(table, Table)  # noqa: S101 - what SQLAlchemy types as FromClause
    statement = dialects.insert(session.dialect, table).values(id=notes_id, counted_at=now())
    found = await session.execute(statement.on_conflict_do_nothing().returning(table.c.id))
    return found.scalar_one_or_none() is not None


async def _locked(session: WriteSession, entitlement_id: UUID, start: datetime) -> tuple[Entitlement, Units]:
    """Return an entitlement that is in force, and what was taken in a period, locked until the transaction ends."""
    entitlement = await session.scalar(select(Entitlement).where(Entitlement.id == entitlement_id, in_force(now())))
    if entitlement is None:
        raise Ended
    for _ in range(2):
        statement = select(EntitlementPeriod.calls_taken, EntitlementPeriod.rows_taken).where(
            EntitlementPeriod.entitlement_id == entitlement_id, EntitlementPeriod.period_start == start
        )
        row = (await session.execute(statement.with_for_update())).one_or_none()
        if row is not None:
            return entitlement, Units(row[0], row[1])
        await _open(session, entitlement, start)
    raise Ended


async def _open(session: WriteSession, entitlement: Entitlement, start: datetime) -> None:
    table = EntitlementPeriod.__table__
    assert isinstance(table, Table)  # noqa: S101 - what SQLAlchemy types as FromClause
    moment = now()
    values = {
        "id": new_id(),
        "organization_id": entitlement.organization_id,
        "entitlement_id": entitlement.id,
        "period_start": start,
        "calls_taken": 0,
        "rows_taken": 0,
        "created_at": moment,
        "updated_at": moment,
    }
    await session.execute(dialects.insert(session.dialect, table).values(values).on_conflict_do_nothing())
