"""SQL of payload logging."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, insert, select

from argosy.kit.repository import Repository, TenantRepository
from argosy.predictions.models import PayloadLogging, PredictionRecord
from argosy.predictions.schemas import PredictionFilter
from argosy.registry.models import Model, ModelVersion, VersionStatus

MOST_VERSIONS = 50


class PayloadLoggingRepository(Repository[PayloadLogging]):
    """What is recorded, reached through the model."""

    model = PayloadLogging

    async def of(self, model_id: UUID) -> PayloadLogging | None:
        """Return what is recorded of a model, if that was ever said."""
        return await self.one_or_none(select(PayloadLogging).where(PayloadLogging.model_id == model_id))

    async def all(self) -> Sequence[PayloadLogging]:
        """Return what is recorded of every model, for maintenance."""
        return (await self._session.scalars(select(PayloadLogging))).all()

    async def feature_names(self, model_id: UUID) -> set[str]:
        """Return the names of the inputs of a model's newest ready versions."""
        ready = (ModelVersion.model_id == model_id) & (ModelVersion.status == VersionStatus.READY)
        newest = select(ModelVersion.signature).where(ready).order_by(ModelVersion.number.desc()).limit(MOST_VERSIONS)
        signatures = [found for found in await self._session.scalars(newest) if found]
        return {feature["name"] for signature in signatures for feature in signature["inputs"]}


class PredictionRepository(TenantRepository[PredictionRecord]):
    """Recorded predictions, reached through their model."""

    model = PredictionRecord

    def of(self, model: Model, only: PredictionFilter) -> Select[PredictionRecord]:
        """Select the records of a model of the caller's own organization."""
        record = PredictionRecord
        wanted = select(record).where(record.organization_id == model.organization_id, record.model_id == model.id)
        if only.version is not None:
            wanted = wanted.where(record.version == only.version)
        if only.status is not None:
            wanted = wanted.where(record.status == only.status)
        if only.since is not None:
            wanted = wanted.where(record.created_at >= only.since)
        if only.until is not None:
            wanted = wanted.where(record.created_at < only.until)
        return wanted

    async def add_all(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write records; those of models that are gone are left out."""
        wanted = {row["model_id"] for row in rows}
        known = set(await self._session.scalars(select(Model.id).where(Model.id.in_(wanted))))
        rows = [row for row in rows if row["model_id"] in known]
        if rows:
            await self._session.execute(insert(PredictionRecord), rows)

    async def forget(self, model_id: UUID, before: datetime) -> None:
        """Delete the records of a model from before a time."""
        old = (PredictionRecord.model_id == model_id) & (PredictionRecord.created_at < before)
        await self._session.execute(delete(PredictionRecord).where(old))
