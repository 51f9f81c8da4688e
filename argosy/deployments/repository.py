"""SQL of deployments."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Table, select, update

from argosy.deployments.models import Deployment, ShadowComparison
from argosy.kit.clock import now
from argosy.kit.db import dialects
from argosy.kit.ids import new_id
from argosy.kit.principal import Principal
from argosy.kit.repository import Repository, TenantRepository

MOST_DAYS = 1000
KEY = ("model_id", "version", "shadow_version", "day")
COUNTED = ("calls", "rows", "different_rows", "errors", "seconds")


class DeploymentRepository(Repository[Deployment]):
    """How models are served, reached through the model."""

    model = Deployment

    async def of(self, model_id: UUID) -> Deployment | None:
        """Return what is said of a model, if anything was."""
        return await self.one_or_none(select(Deployment).where(Deployment.model_id == model_id))


class ShadowRepository(TenantRepository[ShadowComparison]):
    """What shadows answered."""

    model = ShadowComparison

    async def of(self, principal: Principal, model_id: UUID) -> Sequence[ShadowComparison]:
        """Return the comparisons of a model of the caller's organization, newest first."""
        statement = (
            self.readable_by(principal)
            .where(ShadowComparison.model_id == model_id)
            .order_by(ShadowComparison.day.desc(), ShadowComparison.shadow_version, ShadowComparison.version)
            .limit(MOST_DAYS)
        )
        return (await self._session.scalars(statement)).all()

    async def add_counts(self, row: dict[str, Any]) -> None:
        """Add what was counted to the row of its day."""
        table = ShadowComparison.__table__
        assert isinstance(table, Table)  # noqa: S101 - what SQLAlchemy types as FromClause
        made = {"id": new_id(), "created_at": now(), "updated_at": now()}
        adding = dialects.upsert_adding(self._session.dialect, table, key=KEY, add=COUNTED)
        await self._session.execute(adding, [{**row, **made}])
        largest = row["largest_difference"]
        same = (table.c[name] == row[name] for name in KEY)
        await self._session.execute(
            update(table).where(*same, table.c.largest_difference < largest).values(largest_difference=largest)
        )
