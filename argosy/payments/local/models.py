"""The books of the local provider. They are its own: what it tells of them is all that payments know."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from argosy.kit.clock import now
from argosy.kit.db.base import Base, Timestamped
from argosy.kit.db.types import BigInt, enum_type
from argosy.payments.provider import IntentStatus, RefundStatus

_DUE = text("due_at IS NOT NULL")


class LocalIntent(Timestamped, Base):
    """A charge; one for each payment, however often it is asked for."""

    __tablename__ = "local_intents"

    id: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[UUID] = mapped_column(unique=True)
    amount: Mapped[int] = mapped_column(BigInt)
    currency: Mapped[str]
    method: Mapped[str]
    status: Mapped[IntentStatus] = mapped_column(enum_type(IntentStatus, "status"), default=IntentStatus.CREATED)
    code: Mapped[str | None]
    message: Mapped[str | None]


class LocalRefund(Timestamped, Base):
    """All of a charge given back; one for each key."""

    __tablename__ = "local_refunds"

    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    intent_id: Mapped[str] = mapped_column(ForeignKey("local_intents.id", ondelete="CASCADE"), index=True)
    status: Mapped[RefundStatus] = mapped_column(enum_type(RefundStatus, "status"), default=RefundStatus.PENDING)
    code: Mapped[str | None]
    message: Mapped[str | None]


class LocalWebhook(Base):
    """A message to be sent at its time, and again until it is taken; what it tells happens when it is first due."""

    __tablename__ = "local_webhooks"
    __table_args__ = (Index("ix_local_webhooks_due", "due_at", "id", sqlite_where=_DUE, postgresql_where=_DUE),)

    id: Mapped[str] = mapped_column(primary_key=True)
    intent_id: Mapped[str] = mapped_column(ForeignKey("local_intents.id", ondelete="CASCADE"), index=True)
    refund_id: Mapped[str | None]
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(doc="What the intent or the refund is, as the message tells.")
    code: Mapped[str | None]
    message: Mapped[str | None]
    times: Mapped[int] = mapped_column(default=1, doc="How often it is still to be delivered.")
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime | None] = mapped_column(doc="Null once it was taken, or given up.")
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
