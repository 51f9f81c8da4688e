"""Metered use: counters per caller, model version, product and day, and per item of an order; the counted segments."""

from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, Double, Index, UniqueConstraint, cast, func, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from argosy.kit.clock import now
from argosy.kit.db.base import Base, TenantRow
from argosy.kit.db.tenancy import OWN_ONCE, RowPolicy
from argosy.kit.db.types import BigInt, enum_type
from argosy.kit.principal import PrincipalKind
from argosy.usage.journal import Failure
from argosy.usage.latency import BUCKETS, MIDDLES_MS

COUNTER_KEY = ("organization_id", "principal_id", "model_id", "version", "day")
COUNTERS = ("calls", "rows", *(failure.value for failure in Failure), *BUCKETS)

# Where a NULL cannot be: in a primary key, and in an order that pages follow.
NO_PRODUCT = UUID(int=0)
_WITHOUT_PRODUCT, _OF_PRODUCT = text("product_id IS NULL"), text("product_id IS NOT NULL")


def _counter() -> Mapped[int]:
    return mapped_column(BigInt, default=0, server_default="0")


class Counters:
    """What is counted: answered calls and their rows, calls that failed, and answered calls by how long they took."""

    calls: Mapped[int] = mapped_column(BigInt)
    rows: Mapped[int] = mapped_column(BigInt)
    refused: Mapped[int] = _counter()
    errors: Mapped[int] = _counter()
    ms_1: Mapped[int] = _counter()
    ms_2: Mapped[int] = _counter()
    ms_5: Mapped[int] = _counter()
    ms_10: Mapped[int] = _counter()
    ms_25: Mapped[int] = _counter()
    ms_50: Mapped[int] = _counter()
    ms_100: Mapped[int] = _counter()
    ms_250: Mapped[int] = _counter()
    ms_500: Mapped[int] = _counter()
    ms_1000: Mapped[int] = _counter()
    ms_2500: Mapped[int] = _counter()
    ms_more: Mapped[int] = _counter()


class UsageRecord(Counters, TenantRow):
    """What one caller used of one model version, under one product or none, on one day (UTC).

    It names the model by text too, and refers to no row: what was used stays when the model or the key is deleted.
    """

    __tablename__ = "usage_records"
    # Of two NULLs neither database says that they are the same, so rows without a product have an index of their own.
    __table_args__ = (
        Index(
            "uq_usage_records_without_product",
            *COUNTER_KEY,
            unique=True,
            sqlite_where=_WITHOUT_PRODUCT,
            postgresql_where=_WITHOUT_PRODUCT,
        ),
        Index(
            "uq_usage_records_of_product",
            *COUNTER_KEY,
            "product_id",
            unique=True,
            sqlite_where=_OF_PRODUCT,
            postgresql_where=_OF_PRODUCT,
        ),
        Index(None, "organization_id", "day"),
        Index(None, "organization_id", "principal_id", "day"),
        Index(None, "organization_id", "model", "day"),
        Index(
            "ix_usage_records_product_id_day",
            "product_id",
            "day",
            sqlite_where=_OF_PRODUCT,
            postgresql_where=_OF_PRODUCT,
        ),
    )
    # A vendor sees what was used of its products.
    __row_policy__: ClassVar[RowPolicy] = RowPolicy(
        own=OWN_ONCE,
        also_read=(
            "EXISTS (SELECT 1 FROM products WHERE products.id = product_id AND products.organization_id"
            " BETWEEN argosy_first_organization() AND argosy_last_organization())"
        ),
    )

    principal_kind: Mapped[PrincipalKind] = mapped_column(enum_type(PrincipalKind, "principal_kind"))
    principal_id: Mapped[UUID]
    model_id: Mapped[UUID] = mapped_column(index=True)
    model: Mapped[str]
    version: Mapped[int]
    day: Mapped[date]
    product_id: Mapped[UUID | None]
    # What a vendor's groups have of the organization that used its products: a name, and no column of this table.
    customer: ClassVar[str | None] = None

    @hybrid_property
    def attempts(self) -> int:
        """Every call of a version, answered or not."""
        return self.calls + self.refused + self.errors

    @hybrid_property
    def timed(self) -> int:
        """The calls whose time is in the buckets: all that were answered since there are buckets, but for jobs."""
        return sum(getattr(self, name) for name in BUCKETS)

    @hybrid_property
    def error_rate(self) -> float:
        """The share of all calls that ended in an error; what was refused is the caller's affair."""
        return self.errors / self.attempts if self.attempts else 0.0

    @error_rate.inplace.expression
    @classmethod
    def _error_rate(cls) -> ColumnElement[float]:
        return func.coalesce(cast(cls.errors, Double) / func.nullif(cls.attempts, 0), 0.0)

    @hybrid_property
    def mean_ms(self) -> float:
        """The mean time of a call, estimated from the buckets; 0 where nothing was timed."""
        return float(self._spent / self.timed) if self.timed else 0.0

    @mean_ms.inplace.expression
    @classmethod
    def _mean_ms(cls) -> ColumnElement[float]:
        return func.coalesce(cast(cls._spent, Double) / func.nullif(cls.timed, 0), 0.0)

    @hybrid_property
    def _spent(self) -> float:
        return sum((getattr(self, name) * middle for name, middle in zip(BUCKETS, MIDDLES_MS, strict=True)), 0.0)


class OrderItemUsage(TenantRow):
    """What was used on one day (UTC) of one item of an order: answered calls that took of its quota.

    It refers to no row, as `UsageRecord`.
    """

    __tablename__ = "order_item_usage"
    __table_args__ = (UniqueConstraint("order_item_id", "day"),)
    # A vendor sees what was used of what it sold.
    __row_policy__: ClassVar[RowPolicy] = RowPolicy(
        also_read=(
            "EXISTS (SELECT 1 FROM order_items WHERE order_items.id = order_item_id AND order_items.vendor_id"
            " BETWEEN argosy_first_organization() AND argosy_last_organization())"
        )
    )

    order_item_id: Mapped[UUID]
    day: Mapped[date]
    calls: Mapped[int] = mapped_column(BigInt)
    rows: Mapped[int] = mapped_column(BigInt)


class CountedSegment(Base):
    """A journal segment whose entries are in the counters, or a process's notes of quotas that went back: each once."""

    __tablename__ = "usage_segments"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    counted_at: Mapped[datetime] = mapped_column(default=now, index=True)
