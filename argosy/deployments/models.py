"""How a model is served, and what its shadow answered."""

from datetime import date
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from argosy.kit.db.base import Revised, TenantRow
from argosy.kit.db.tenancy import RowPolicy
from argosy.kit.db.types import BigInt

_OF_PUBLIC_MODEL = RowPolicy(
    also_read="EXISTS (SELECT 1 FROM models WHERE models.id = model_id AND models.visibility = 'public')"
)


class Deployment(Revised, TenantRow):
    """The traffic rules of a model; without a row, everything goes to the version that is `live`."""

    __tablename__ = "deployments"
    __row_policy__: ClassVar[RowPolicy] = _OF_PUBLIC_MODEL

    model_id: Mapped[UUID] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), unique=True)
    traffic: Mapped[list[dict[str, Any]]]
    shadow: Mapped[dict[str, Any] | None]
    batching: Mapped[dict[str, Any]] = mapped_column(default=dict)
    backend: Mapped[dict[str, Any] | None]
    credentials: Mapped[str | None] = mapped_column(doc="Headers for the backend, encrypted.")


class ShadowComparison(TenantRow):
    """What a shadow answered in a day, beside what was answered."""

    __tablename__ = "shadow_comparisons"
    __table_args__ = (UniqueConstraint("model_id", "version", "shadow_version", "day"),)

    model_id: Mapped[UUID] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    version: Mapped[int]
    shadow_version: Mapped[int]
    day: Mapped[date]
    calls: Mapped[int] = mapped_column(BigInt, default=0)
    rows: Mapped[int] = mapped_column(BigInt, default=0)
    different_rows: Mapped[int] = mapped_column(BigInt, default=0)
    errors: Mapped[int] = mapped_column(BigInt, default=0)
    largest_difference: Mapped[float] = mapped_column(default=0.0)
    seconds: Mapped[float] = mapped_column(default=0.0, doc="That the shadow took, all together.")
