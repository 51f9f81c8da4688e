"""SQL of usage."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, delete, func, select

from argosy.kit.clock import now
from argosy.kit.db import dialects
from argosy.kit.ids import new_id
from argosy.kit.principal import Principal
from argosy.kit.repository import TenantRepository
from argosy.organizations.models import Organization
from argosy.usage.models import COUNTER_KEY, CountedSegment, UsageRecord

KEEP_SEGMENTS = timedelta(days=30)
MAX_ROWS = 500


class UsageRepository(TenantRepository[UsageRecord]):
    """Counters of the caller's organization."""

    model = UsageRecord

    async def count_segment(self, segment_id: UUID) -> bool:
        """Note that a segment is counted; False when it was before."""
        table = CountedSegment.__table__
        assert isinstance(table, Table)  # noqa: S101 - what SQLAlchemy types as FromClause
        statement = (
            dialects.insert(self._session.dialect, table)
            .values(id=segment_id, counted_at=now())
            .on_conflict_do_nothing()
            .returning(table.c.id)
        )
        return (await self._session.execute(statement)).scalar_one_or_none() is not None

    async def add_counts(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add calls and rows to the counters."""
        table = UsageRecord.__table__
        assert isinstance(table, Table)  # noqa: S101 - what SQLAlchemy types as FromClause
        moment = now()
        known = set(await self._session.scalars(select(Organization.id)))
        # An organization that is gone has nobody left to bill; its entries must not hold up the others'.
        rows = [row for row in rows if row["organization_id"] in known]
        for start in range(0, len(rows), MAX_ROWS):
            batch = [
                {**row, "id": new_id(), "created_at": moment, "updated_at": moment}
                for row in rows[start : start + MAX_ROWS]
            ]
            await self._session.execute(
                dialects.upsert_adding(self._session.dialect, table, batch, key=COUNTER_KEY, add=("calls", "rows"))
            )

    async def forget_segments(self) -> None:
        """Forget segments whose files are long gone."""
        await self._session.execute(delete(CountedSegment).where(CountedSegment.counted_at < now() - KEEP_SEGMENTS))

    async def totals(
        self, principal: Principal, group: Sequence[str], since: date | None, until: date | None, model: str | None
    ) -> list[dict[str, Any]]:
        """Return calls and rows of the caller's organization, grouped by columns."""
        columns: list[ColumnElement[Any]] = [UsageRecord.__table__.c[name] for name in group]
        statement = _within(self.readable_by(principal), since, until, model).with_only_columns(
            *columns, func.sum(UsageRecord.calls).label("calls"), func.sum(UsageRecord.rows).label("rows")
        )
        if columns:
            statement = statement.group_by(*columns).order_by(*columns)
        return [dict(row) for row in (await self._session.execute(statement)).mappings()]


def _within(
    statement: Select[UsageRecord], since: date | None, until: date | None, model: str | None
) -> Select[UsageRecord]:
    if since is not None:
        statement = statement.where(UsageRecord.day >= since)
    if until is not None:
        statement = statement.where(UsageRecord.day <= until)
    if model is not None:
        statement = statement.where(UsageRecord.model == model)
    return statement
