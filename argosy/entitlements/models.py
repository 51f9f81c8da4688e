"""Entitlements: what an organization may call of another's models, how much of it, and how much it has taken."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from argosy.entitlements.states import EntitlementStatus
from argosy.kit.db.base import Revised, TenantRow
from argosy.kit.db.tenancy import RowPolicy
from argosy.kit.db.types import BigInt, enum_type
from argosy.products.plans import Period

_VENDORS = "vendor_id BETWEEN argosy_first_organization() AND argosy_last_organization()"
# What belongs to an entitlement is read by whoever reads the entitlement: its customer and its vendor.
_OF_ENTITLEMENT = RowPolicy(
    also_read="EXISTS (SELECT 1 FROM entitlements WHERE entitlements.id = entitlement_id"
    " AND entitlements.vendor_id BETWEEN argosy_first_organization() AND argosy_last_organization())"
)


class EntitlementModel(TenantRow):
    """A model that an entitlement covers, by the alias that answers. Their order is that of their ids."""

    __tablename__ = "entitlement_models"
    __table_args__ = (UniqueConstraint("entitlement_id", "model_id"),)
    __row_policy__: ClassVar[RowPolicy] = _OF_ENTITLEMENT

    entitlement_id: Mapped[UUID] = mapped_column(ForeignKey("entitlements.id", ondelete="CASCADE"))
    model_id: Mapped[UUID] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(doc="`organization/name`: customers cannot read the model's row.")
    alias: Mapped[str]


class EntitlementPeriod(TenantRow):
    """The ledger: what was taken of an entitlement's quota in one period, by answered calls and by leases."""

    __tablename__ = "entitlement_periods"
    __table_args__ = (
        UniqueConstraint("entitlement_id", "period_start"),
        CheckConstraint("calls_taken >= 0 AND rows_taken >= 0", name="taken"),
    )
    __row_policy__: ClassVar[RowPolicy] = _OF_ENTITLEMENT

    entitlement_id: Mapped[UUID] = mapped_column(ForeignKey("entitlements.id", ondelete="CASCADE"))
    period_start: Mapped[datetime]
    calls_taken: Mapped[int] = mapped_column(BigInt, default=0)
    rows_taken: Mapped[int] = mapped_column(BigInt, default=0)


class Entitlement(Revised, TenantRow):
    """What an organization, the customer, may use of a vendor's product. It outlives the product and its vendor."""

    __tablename__ = "entitlements"
    __table_args__ = (
        UniqueConstraint("order_item_id"),
        CheckConstraint("calls IS NOT NULL OR rows IS NOT NULL", name="quota"),
        Index(None, "organization_id", "created_at", "id"),
        Index(None, "organization_id", "status", "created_at", "id"),
        Index(None, "vendor_id", "created_at", "id"),
        Index(None, "vendor_id", "status", "created_at", "id"),
        Index(None, "status", "ends_at"),
    )
    __row_policy__: ClassVar[RowPolicy] = RowPolicy(also_read=_VENDORS)

    order_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders.id", ondelete="SET NULL"), index=True)
    order_item_id: Mapped[UUID | None] = mapped_column(ForeignKey("order_items.id", ondelete="SET NULL"))
    product_id: Mapped[UUID | None] = mapped_column(ForeignKey("products.id", ondelete="SET NULL"), index=True)
    product: Mapped[str] = mapped_column(doc="The product's name when it was granted.")
    vendor_id: Mapped[UUID] = mapped_column(doc="The organization that grants it; it may be gone.")
    vendor: Mapped[str]
    customer: Mapped[str]
    status: Mapped[EntitlementStatus] = mapped_column(
        enum_type(EntitlementStatus, "status"), default=EntitlementStatus.ACTIVE
    )
    period: Mapped[Period] = mapped_column(enum_type(Period, "period"))
    calls: Mapped[int | None] = mapped_column(BigInt)
    rows: Mapped[int | None] = mapped_column(BigInt)
    rate_per_second: Mapped[int | None]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    api_keys: Mapped[list[str] | None] = mapped_column(doc="Ids of the keys that may use it; null: every key.")
    models: Mapped[list[EntitlementModel]] = relationship(
        lazy="raise", cascade="all, delete-orphan", order_by=EntitlementModel.id, passive_deletes=True
    )
