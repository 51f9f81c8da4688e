"""SQL of response caching."""

from uuid import UUID

from sqlalchemy import select

from argosy.caching.models import ResponseCaching
from argosy.kit.repository import Repository


class ResponseCachingRepository(Repository[ResponseCaching]):
    """Whether answers are cached, reached through the model."""

    model = ResponseCaching

    async def of(self, model_id: UUID) -> ResponseCaching | None:
        """Return what is said of a model, if anything was."""
        return await self.one_or_none(select(ResponseCaching).where(ResponseCaching.model_id == model_id))
