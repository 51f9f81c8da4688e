"""SQL of usage."""

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Executable,
    Row,
    RowMapping,
    Select,
    Table,
    Uuid,
    and_,
    cast,
    column,
    delete,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy import table as named
from sqlalchemy.orm import InstrumentedAttribute

from argosy.kit.clock import now
from argosy.kit.db import dialects
from argosy.kit.db.base import TenantRow
from argosy.kit.db.types import BigInt
from argosy.kit.ids import new_id
from argosy.kit.pagination import PageQuery
from argosy.kit.principal import Principal
from argosy.kit.repository import TenantRepository
from argosy.kit.sides import Side
from argosy.organizations.models import Organization
from argosy.usage.grouping import Grouping, GroupPage
from argosy.usage.models import COUNTER_KEY, COUNTERS, NO_PRODUCT, CountedSegment, OrderItemUsage, UsageRecord
from argosy.usage.pages import GroupPages
from argosy.usage.schemas import UsageFilter
from argosy.usage.sums import Part, Source, parts

KEEP_SEGMENTS = timedelta(days=30)
MAX_ROWS = 500
STREAM_ROWS = 1000
Counts = dict[str, Any]
# Whose product is whose: of a domain above this one, so that it is known by its name only, as to the row's policy.
PRODUCTS = named("products", column("id", Uuid()), column("organization_id", Uuid()))


@dataclass(frozen=True, slots=True, eq=False)
class Counting:
    """The counters of a table that are added to, and the key they are added by: that of an index, of some rows only."""

    model: type[TenantRow]
    key: Sequence[str]
    add: Sequence[str]
    where: ColumnElement[bool] | None = None


OF_CALLERS = Counting(UsageRecord, COUNTER_KEY, COUNTERS, UsageRecord.product_id.is_(None))
OF_PRODUCTS = Counting(UsageRecord, (*COUNTER_KEY, "product_id"), COUNTERS, UsageRecord.product_id.is_not(None))
OF_ITEMS = Counting(OrderItemUsage, ("order_item_id", "day"), ("calls", "rows"))


class UsageRepository(TenantRepository[UsageRecord]):
    """Counters of the caller's organization, and for vendors of their products."""

    model = UsageRecord

    async def count_segment(self, segment_id: UUID) -> bool:
        """Note that a segment is counted; False when it was before."""
        row = {"id": segment_id, "counted_at": now()}
        return (await self._session.execute(_noting(self._session.dialect), row)).scalar_one_or_none() is not None

    async def add_counts(self, rows: Sequence[Counts], of_items: Sequence[Counts]) -> None:
        """Add to the counters: of callers, and of items of orders."""
        known = await self._known({row["organization_id"] for row in (*rows, *of_items)})
        # An organization that is gone has nobody left to bill; its entries must not hold up the others'.
        rows = [row for row in rows if row["organization_id"] in known]
        await self._upsert(OF_CALLERS, [row for row in rows if row["product_id"] is None])
        await self._upsert(OF_PRODUCTS, [row for row in rows if row["product_id"] is not None])
        await self._upsert(OF_ITEMS, [row for row in of_items if row["organization_id"] in known])

    async def _known(self, organization_ids: Collection[UUID]) -> set[UUID]:
        ids, known = list(organization_ids), set[UUID]()
        for start in range(0, len(ids), MAX_ROWS):
            asked = select(Organization.id).where(Organization.id.in_(ids[start : start + MAX_ROWS]))
            known.update(await self._session.scalars(asked))
        return known

    async def _upsert(self, counting: Counting, rows: Sequence[Counts]) -> None:
        moment = now()
        for start in range(0, len(rows), MAX_ROWS):
            batch = [
                {**row, "id": new_id(), "created_at": moment, "updated_at": moment}
                for row in rows[start : start + MAX_ROWS]
            ]
            await self._session.execute(_adding(self._session.dialect, counting), batch)

    async def forget_segments(self) -> None:
        """Forget segments whose files are long gone."""
        await self._session.execute(delete(CountedSegment).where(CountedSegment.counted_at < now() - KEEP_SEGMENTS))

    def groups(self, principal: Principal, names: Sequence[str], only: UsageFilter) -> Select[Any]:
        """Select the sums of counters, grouped by columns: the caller's organization's, or of its products."""
        read = [self._read(part, principal, names, only) for part in parts(names, only)]
        whole = (read[0] if len(read) == 1 else union_all(*read)).subquery()
        columns = [whole.c[name] for name in names]
        sums = [cast(func.sum(whole.c[name]), BigInt).label(name) for name in COUNTERS]
        return select(*columns, *sums).group_by(*columns)

    def _rows(self, principal: Principal, names: Sequence[str], only: UsageFilter) -> Select[Any] | None:
        """Select the counters that groups are made of, with what they are grouped by; None where sums are read."""
        (first, *more) = parts(names, only)
        return None if more or first.source is not UsageRecord else self._read(first, principal, names, only)

    def _read(self, part: Part, principal: Principal, names: Sequence[str], only: UsageFilter) -> Select[Any]:
        """Select what is asked for of one table."""
        source = part.source
        columns = [_column(source, name).label(name) for name in (*names, *COUNTERS)]
        found = select(*columns).select_from(source)
        if only.side is Side.CUSTOMER:
            found = found.where(source.organization_id == principal.organization_id)
        else:
            found = found.join(Organization, Organization.id == source.organization_id)
            found = found.where(_sold_by(source, principal))
        return found.where(*_within(part, only))

    async def of_order_items(
        self, item_ids: Collection[UUID], since: date, until: date
    ) -> Sequence[tuple[UUID, int, int]]:
        """Return what was used of items of orders: of each that was used, id, calls and rows."""
        statement = (
            select(
                OrderItemUsage.order_item_id,
                cast(func.sum(OrderItemUsage.calls), BigInt),
                cast(func.sum(OrderItemUsage.rows), BigInt),
            )
            .where(OrderItemUsage.order_item_id.in_(item_ids), OrderItemUsage.day.between(since, until))
            .group_by(OrderItemUsage.order_item_id)
        )
        return [(row[0], row[1], row[2]) for row in await self._session.execute(statement)]

    async def sums(self, principal: Principal, names: Sequence[str], only: UsageFilter) -> Sequence[RowMapping]:
        """Return the sums of the counters, grouped by columns."""
        found: Sequence[RowMapping] = (
            (await self._session.execute(self.groups(principal, names, only))).mappings().all()
        )
        return found

    async def group_page(
        self, principal: Principal, names: Sequence[str], only: UsageFilter, query: PageQuery, sort: str | None
    ) -> GroupPage:
        """Return one page of groups and the sum over all of them."""
        pages = GroupPages(self.groups(principal, names, only), self._rows(principal, names, only), names, sort)
        return await pages.page(self._session, query)

    async def stream(
        self, principal: Principal, names: Sequence[str], only: UsageFilter, sort: str | None
    ) -> AsyncIterator[Sequence[Row[Any]]]:
        """Return all groups, some at a time, as the database gives them: never all in memory."""
        ordered = Grouping(self.groups(principal, names, only), names, sort).all()
        found = await self._session.stream(ordered, execution_options={"yield_per": STREAM_ROWS})
        async for part in found.partitions():
            yield part


def _column(source: Source, name: str) -> ColumnElement[Any]:
    if name == "customer":
        # Not the bare column: PostgreSQL would go through all organizations for their index's order, and join to each.
        return Organization.slug.concat("")
    if name == "product_id" and source is not UsageRecord:
        return func.nullif(source.product_id, literal(NO_PRODUCT, Uuid()), type_=Uuid())
    column: InstrumentedAttribute[Any] = getattr(source, name)
    return column.expression


def _sold_by(source: Source, principal: Principal) -> ColumnElement[bool]:
    """Tell what was used under the products of the caller's organization, by whomever."""
    own = select(PRODUCTS.c.id).where(PRODUCTS.c.organization_id == principal.organization_id)
    # That it is of a product is also said for the index, which may have such rows only.
    return and_(source.product_id.is_not(None), source.product_id.in_(own))


def _within(part: Part, only: UsageFilter) -> Iterator[ColumnElement[bool]]:
    source = part.source
    if part.since is not None:
        yield source.day >= part.since
    if part.until is not None:
        yield source.day <= part.until
    if only.customer is not None:
        customer = select(Organization.id).where(Organization.slug == only.customer).scalar_subquery()
        yield source.organization_id == customer
    equal = {"model": only.model, "version": only.version, "principal_id": only.key, "product_id": only.product}
    yield from (_column(source, name) == value for name, value in equal.items() if value is not None)


# A statement takes longer to make than to run, and what makes these runs each second, between requests.
@cache
def _noting(dialect: str) -> Executable:
    table = CountedSegment.__table__
    assert isinstance(table, Table)  # noqa: S101 - what SQLAlchemy types as FromClause
    return dialects.insert(dialect, table).on_conflict_do_nothing().returning(table.c.id)


@cache
def _adding(dialect: str, counting: Counting) -> Executable:
    table = counting.model.__table__
    assert isinstance(table, Table)  # noqa: S101 - what SQLAlchemy types as FromClause
    return dialects.upsert_adding(dialect, table, key=counting.key, add=counting.add, where=counting.where)
