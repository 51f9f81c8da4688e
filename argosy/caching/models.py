"""Whether answers of a model are cached."""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from argosy.kit.db.base import Revised, TenantRow
from argosy.kit.db.tenancy import RowPolicy


class ResponseCaching(Revised, TenantRow):
    """For how long answers of a model may be given again; without a row, they are not."""

    __tablename__ = "response_caching"
    __row_policy__: ClassVar[RowPolicy] = RowPolicy(
        also_read="EXISTS (SELECT 1 FROM models WHERE models.id = model_id AND models.visibility = 'public')"
    )

    model_id: Mapped[UUID] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), unique=True)
    enabled: Mapped[bool]
    ttl_seconds: Mapped[int]
