"""Pages of long lists of groups, which are cut out of the first rows where that is enough."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, Subquery, cast, func, select

from argosy.kit.db.session import ReadSession
from argosy.kit.db.totals import key_of
from argosy.kit.db.types import BigInt
from argosy.kit.pagination import PageQuery
from argosy.usage.grouping import KEY, Grouping, GroupPage
from argosy.usage.models import COUNTERS, UsageRecord

# Fewer are summed each time: who has few wants to see the last call.
MANY_GROUPS = 10_000
ROWS_A_GROUP = 4
MOST_ROWS = 25_000
READ = "read_"


class GroupPages(Grouping):
    """Groups by page. Of a long list, how many there are and their sum are remembered for a moment.

    With these known, a page in the order of what is grouped by needs only the rows that come first, not all groups.
    Without rows, the groups are of so few that each page is cut out of them.
    """

    def __init__(self, groups: Select[Any], rows: Select[Any] | None, names: Sequence[str], sort: str | None) -> None:
        super().__init__(groups, names, sort)
        self._rows = rows

    async def page(self, session: ReadSession, query: PageQuery) -> GroupPage:
        """Return one page, with one statement unless groups are of more rows than expected."""
        key = key_of(session.actor, self._groups)
        known = session.totals.figures(key)
        if known is not None and (page := await self._cut(session, query, known)):
            return page
        page = await super().page(session, query)
        if key is not None and page.groups >= MANY_GROUPS:
            session.totals.keep(key, page.groups, *(getattr(page.sum, name) for name in COUNTERS))
        return page

    async def _cut(self, session: ReadSession, query: PageQuery, known: Sequence[int]) -> GroupPage | None:
        """Return a page out of the first rows; None where the last of its groups may have rows that were not read."""
        offset = 0 if query.cursor is not None else (query.page - 1) * query.size
        most = ROWS_A_GROUP * (offset + query.size + 1)
        if self._rows is None or most > MOST_ROWS or not self._names_order:
            return None
        statement = self._of_rows(self._rows.subquery(), query.cursor or "", most).limit(query.size + 1).offset(offset)
        rows = (await session.execute(statement)).mappings().all()
        if len(rows) <= query.size and not (rows and rows[0][READ] < most):
            return None
        groups, *sums = known
        return GroupPage(
            self._listing(rows, query, groups), UsageRecord(**dict(zip(COUNTERS, sums, strict=True))), groups
        )

    def _of_rows(self, rows: Subquery, cursor: str, most: int) -> Select[Any]:
        """Select the groups of the first rows, in order, each with how many rows were read in all."""
        keys = self._keys(rows)
        labels = [f"{KEY}{place}" for place in range(len(keys))]
        statement = select(rows, *(key.label(label) for key, label in zip(keys, labels, strict=True)))
        first = self._ordered(self._after(statement, keys, cursor), keys).limit(most).subquery()
        columns = [first.c[name] for name in (*self._names, *labels)]
        sums = [cast(func.sum(first.c[name]), BigInt).label(name) for name in COUNTERS]
        groups = select(*columns, *sums, func.sum(func.count()).over().label(READ)).group_by(*columns)
        return self._ordered(groups, [first.c[label] for label in labels])
