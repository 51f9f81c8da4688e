"""Payments of orders, and what their providers told."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from argosy.kit.clock import now
from argosy.kit.db.base import Base, TenantRow
from argosy.kit.db.types import BigInt, enum_type
from argosy.payments.states import PaymentStatus

_ACTIVE = text("status <> 'failed'")
_DUE = text("next_attempt_at IS NOT NULL")


class Payment(TenantRow):
    """One attempt to pay an order. An order has one that has not failed at most, and the database sees to it."""

    __tablename__ = "payments"
    __table_args__ = (
        Index("uq_payments_active", "order_id", unique=True, sqlite_where=_ACTIVE, postgresql_where=_ACTIVE),
        Index("ix_payments_due", "next_attempt_at", "id", sqlite_where=_DUE, postgresql_where=_DUE),
        Index(None, "order_id", "created_at", "id"),
        Index(None, "provider", "reference"),
        CheckConstraint("amount > 0", name="amount"),
    )

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    provider: Mapped[str]
    method: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInt)
    currency: Mapped[str]
    status: Mapped[PaymentStatus] = mapped_column(enum_type(PaymentStatus, "status"), default=PaymentStatus.REQUESTED)
    reference: Mapped[str | None] = mapped_column(doc="The provider's name for it.")
    refund_reference: Mapped[str | None]
    refunds: Mapped[int] = mapped_column(default=0, doc="How often a refund was asked for.")
    code: Mapped[str | None] = mapped_column(doc="Why it failed, or why its refund did.")
    message: Mapped[str | None]
    action_url: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0, doc="Calls of the provider since its last word.")
    next_attempt_at: Mapped[datetime | None] = mapped_column(default=now, doc="Null when there is nothing to ask.")


class PaymentNotice(Base):
    """A message of a provider that has been acted on: the inbox, by which its repetition is known."""

    __tablename__ = "payment_notices"

    provider: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(default=now, index=True)
