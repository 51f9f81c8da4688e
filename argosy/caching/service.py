"""Decisions about response caching."""

from argosy.caching.models import ResponseCaching
from argosy.caching.repository import ResponseCachingRepository
from argosy.caching.schemas import ResponseCachingSet
from argosy.events.service import record
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.web.etag import Precondition
from argosy.registry.models import Model


class CachingReader:
    """Tells whether answers are cached."""

    def __init__(self, session: ReadSession) -> None:
        self.caching = ResponseCachingRepository(session)

    async def get(self, model: Model) -> ResponseCaching | None:
        """Return what is said of a model that the caller may see."""
        return await self.caching.of(model.id)


class CachingService(CachingReader):
    """Turns the caching of answers on and off."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)
        self._session = session

    async def set(self, model: Model, request: ResponseCachingSet, precondition: Precondition) -> ResponseCaching:
        """Say whether a model's answers are cached; raises `PreconditionFailed`."""
        row = await self.caching.of(model.id)
        precondition.check(row.revision if row else 0)
        values = request.model_dump()
        if row is None:
            row = ResponseCaching(organization_id=model.organization_id, model_id=model.id, **values)
            await self.caching.add(row)
        else:
            row.enabled, row.ttl_seconds = request.enabled, request.ttl_seconds
            await self._session.flush()
        record(self._session, "model.response_caching_changed", model.full_name, model.organization_id, **values)
        return row
