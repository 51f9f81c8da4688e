"""Orders: what an organization bought, as it was when it was bought."""

from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from argosy.kit.db.base import Revised, TenantRow
from argosy.kit.db.tenancy import RowPolicy
from argosy.kit.db.types import BigInt, enum_type
from argosy.orders.states import OrderStatus
from argosy.organizations.models import Organization


class OrderItem(TenantRow):
    """Some of one product, at the price and with the plan it had. It outlives the product and its vendor."""

    __tablename__ = "order_items"
    __table_args__ = (
        UniqueConstraint("order_id", "product_id"),
        Index(None, "vendor_id", "created_at", "id"),
        Index(None, "vendor_id", "status", "created_at", "id"),
        CheckConstraint("quantity > 0 AND price > 0", name="positive"),
    )
    # A vendor sees what it sold.
    __row_policy__: ClassVar[RowPolicy] = RowPolicy(
        also_read="vendor_id BETWEEN argosy_first_organization() AND argosy_last_organization()"
    )

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    product_id: Mapped[UUID | None] = mapped_column(ForeignKey("products.id", ondelete="SET NULL"), index=True)
    vendor_id: Mapped[UUID] = mapped_column(doc="The organization that sold it; it may be gone.")
    vendor: Mapped[str]
    name: Mapped[str]
    quantity: Mapped[int]
    price: Mapped[int] = mapped_column(BigInt)
    price_number: Mapped[int]
    plan: Mapped[dict[str, Any]]
    # The order's, for lists: the database keeps it, with a trigger on `orders` that migrations make. On SQLite one that
    # replaces that table (`batch_alter_table`) has to make it again.
    status: Mapped[str] = mapped_column(server_default=OrderStatus.PENDING)
    order: Mapped["Order"] = relationship(lazy="raise", back_populates="items")


class Order(Revised, TenantRow):
    """What an organization, the customer, bought at once: from one or several vendors, in one currency."""

    __tablename__ = "orders"
    __table_args__ = (
        Index(None, "organization_id", "created_at", "id"),
        Index(None, "organization_id", "status", "created_at", "id"),
        Index(None, "status", "created_at"),
    )
    __row_policy__: ClassVar[RowPolicy] = RowPolicy(
        also_read=(
            # Not EXISTS, for which PostgreSQL may read all that was ever sold, to look at a few orders.
            "(SELECT true FROM order_items WHERE order_items.order_id = orders.id AND order_items.vendor_id"
            " BETWEEN (SELECT argosy_first_organization()) AND (SELECT argosy_last_organization()) LIMIT 1)"
        )
    )

    status: Mapped[OrderStatus] = mapped_column(enum_type(OrderStatus, "status"), default=OrderStatus.PENDING)
    total: Mapped[int] = mapped_column(BigInt)
    currency: Mapped[str]
    placed_by: Mapped[UUID]
    items: Mapped[list[OrderItem]] = relationship(
        lazy="raise",
        cascade="all, delete-orphan",
        order_by=OrderItem.id,
        passive_deletes=True,
        back_populates="order",
    )
    organization: Mapped[Organization] = relationship(lazy="raise")
