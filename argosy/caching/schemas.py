"""Wire shapes of response caching."""

from datetime import datetime
from typing import Self

from pydantic import Field

from argosy.caching.models import ResponseCaching
from argosy.kit.schemas import RequestSchema, Schema


class ResponseCachingSet(RequestSchema):
    """Whether answers should be cached."""

    enabled: bool
    ttl_seconds: int = Field(300, ge=1, le=86_400, description="Seconds for which an answer is given again.")


class ResponseCachingRead(Schema):
    """Whether answers are cached."""

    enabled: bool = False
    ttl_seconds: int = 300
    updated_at: datetime | None = None
    revision: int = Field(0, description="0 where it was never set.")

    @classmethod
    def of(cls, row: ResponseCaching | None) -> Self:
        """Return the wire shape of a row, or of none."""
        return cls() if row is None else cls.model_validate(row)
