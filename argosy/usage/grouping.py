"""Groups of counters in order, by page or all: the sum over all groups comes with each page, by window functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Select, Subquery, cast, func, literal, select, tuple_
from sqlalchemy.orm import aliased

from argosy.kit.db.session import ReadSession
from argosy.kit.db.types import BigInt
from argosy.kit.pagination import Listing, PageQuery, decode_cursor, encode_cursor
from argosy.usage.models import COUNTERS, NO_PRODUCT, UsageRecord

KINDS: dict[str, type[Any]] = {
    "principal_id": UUID,
    "customer": str,
    "model": str,
    "version": int,
    "product_id": UUID,
    "day": date,
    "error_rate": float,
    "mean_ms": float,
}
COUNTER_KIND = int
GROUPS, ALL, KEY = "groups", "all_", "key_"


@dataclass(frozen=True, slots=True)
class GroupPage:
    """One page of groups, the sum over all, and how many there are."""

    listing: Listing[UsageRecord]
    sum: UsageRecord
    groups: int


class Grouping:
    """Groups, in the order of one of their figures or columns, and then of what they are grouped by."""

    def __init__(self, groups: Select[Any], names: Sequence[str], sort: str | None) -> None:
        self._groups = groups
        self._names = names
        self._descending = sort is not None and sort.startswith("-")
        first = [sort.removeprefix("-")] if sort else []
        # What kind of caller it is follows from who it is.
        self._order = list(dict.fromkeys([*first, *(name for name in names if name != "principal_kind")]))

    @property
    def _names_order(self) -> bool:
        """Whether the order is that of what they are grouped by, and not of a figure."""
        return set(self._order) <= set(self._names)

    def all(self) -> Select[Any]:
        """Select every group, in order."""
        groups = self._groups.subquery()
        return self._ordered(select(*(groups.c[name] for name in (*self._names, *COUNTERS))), self._keys(groups))

    async def page(self, session: ReadSession, query: PageQuery) -> GroupPage:
        """Return one page, with one statement unless it is one beyond the last.

        Where even the first is empty there is nothing to sum. Asked again, a database that isolates statements only
        could tell of calls that were counted in between, and of no group with them.
        """
        groups = self._summed()
        keys = self._keys(groups)
        statement = select(groups, *(key.label(f"{KEY}{place}") for place, key in enumerate(keys)))
        statement = self._ordered(statement, keys)
        if query.cursor is None:
            statement = statement.limit(query.size).offset((query.page - 1) * query.size)
        else:
            statement = self._after(statement, keys, query.cursor).limit(query.size + 1)
        rows = (await session.execute(statement)).mappings().all()
        first = rows[0] if rows else await self._of_all(session, query)
        total = first[GROUPS] if first else 0
        return GroupPage(self._listing(rows, query, total), _sum(first), total)

    async def _of_all(self, session: ReadSession, query: PageQuery) -> RowMapping | None:
        """Return what comes with any row, for a page without; None where there are no groups."""
        if query.page == 1 and not query.cursor:
            return None
        return (await session.execute(select(self._summed()).limit(1))).mappings().one_or_none()

    def _listing(self, rows: Sequence[RowMapping], query: PageQuery, total: int) -> Listing[UsageRecord]:
        items = [self._record(row) for row in rows[: query.size]]
        if query.cursor is None:
            return Listing(items, query, total)
        if len(rows) <= query.size:
            return Listing(items, query)
        last = rows[query.size - 1]
        cursor = encode_cursor([last[f"{KEY}{place}"] for place in range(len(self._order))])
        return Listing(items, query, next_cursor=cursor)

    def _summed(self) -> Subquery:
        """Select the groups, each with how many there are and the sum over all, before a page is cut out of them."""
        groups = self._groups.subquery()
        sums = [cast(func.sum(groups.c[name]).over(), BigInt).label(f"{ALL}{name}") for name in COUNTERS]
        return select(groups, func.count().over().label(GROUPS), *sums).subquery()

    def _keys(self, groups: Subquery) -> list[ColumnElement[Any]]:
        # The columns of the groups have the names of the record's, so what it computes of its own it does of theirs.
        group = aliased(UsageRecord, groups, adapt_on_names=True)
        keys = {name: groups.c[name] if name in groups.c else getattr(group, name) for name in self._order}
        if "product_id" in keys:
            # A NULL has no place in an order that pages follow.
            keys["product_id"] = func.coalesce(group.product_id, literal(NO_PRODUCT, UsageRecord.product_id.type))
        return list(keys.values())

    def _ordered(self, statement: Select[Any], keys: Sequence[ColumnElement[Any]]) -> Select[Any]:
        return statement.order_by(*(key.desc() if self._descending else key.asc() for key in keys))

    def _after(self, statement: Select[Any], keys: Sequence[ColumnElement[Any]], cursor: str) -> Select[Any]:
        if not cursor:
            return statement
        values = decode_cursor(cursor, [KINDS.get(name, COUNTER_KIND) for name in self._order])
        place, after = tuple_(*keys), tuple_(*map(literal, values))
        return statement.where(place < after if self._descending else place > after)

    def _record(self, row: RowMapping) -> UsageRecord:
        return UsageRecord(**{name: row[name] for name in (*self._names, *COUNTERS)})


def _sum(row: RowMapping | None) -> UsageRecord:
    return UsageRecord(**{name: row[f"{ALL}{name}"] if row else 0 for name in COUNTERS})
