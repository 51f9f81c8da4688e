"""Decisions about payload logging."""

from argosy.events.service import record
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.errors import invalid
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.web.etag import Precondition
from argosy.predictions.models import PayloadLogging, PredictionRecord
from argosy.predictions.repository import PayloadLoggingRepository, PredictionRepository
from argosy.predictions.schemas import PayloadLoggingSet, PredictionFilter
from argosy.registry.models import Model

CHANGED = "model.payload_logging_changed"


class PredictionReader:
    """Answers what is recorded, and what was."""

    def __init__(self, session: ReadSession) -> None:
        self.logging = PayloadLoggingRepository(session)
        self.predictions = PredictionRepository(session)

    async def get_logging(self, model: Model) -> PayloadLogging | None:
        """Return what is recorded of a model that the caller may see."""
        return await self.logging.of(model.id)

    async def list(
        self, model: Model, query: PageQuery, sort: str, only: PredictionFilter
    ) -> Listing[PredictionRecord]:
        """Return records of a model that the caller may change."""
        return await self.predictions.page(self.predictions.of(model, only), query, sort)


class PayloadLoggingService(PredictionReader):
    """Turns the recording of predictions on and off."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)
        self._session = session

    async def set(self, model: Model, request: PayloadLoggingSet, precondition: Precondition) -> PayloadLogging:
        """Say what is recorded of a model; raises `Invalid` for a field to redact that it does not have."""
        known = await self.logging.feature_names(model.id)
        for index, name in enumerate(request.redact):
            # A name that is written wrong would be stored in the clear.
            if known and name not in known:
                raise invalid(["body", "redact", index], "no version of the model has this input", "unknown_feature")
        values = request.model_dump()
        row = await self.logging.of(model.id)
        precondition.check(row.revision if row else 0)
        if row is None:
            row = PayloadLogging(organization_id=model.organization_id, model_id=model.id, **values)
            await self.logging.add(row)
        else:
            for name, value in values.items():
                setattr(row, name, value)
            await self._session.flush()
        record(self._session, CHANGED, model.full_name, model.organization_id, **values)
        return row
