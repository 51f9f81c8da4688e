"""The outbox: every state change, written in the transaction that makes it."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from argosy.kit.clock import now
from argosy.kit.db.base import Base, Identified
from argosy.kit.db.tenancy import RowPolicy

_DUE = text("next_attempt_at IS NOT NULL")
# An event without an organization is the system's: only its range has this id.
_OWN = (
    "COALESCE(organization_id, '00000000-0000-0000-0000-000000000000'::uuid)"
    " BETWEEN argosy_first_organization() AND argosy_last_organization()"
)


class Event(Identified, Base):
    """Something that happened. `kind` is `thing.happened`; `subject` names the thing."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_due", "next_attempt_at", "id", sqlite_where=_DUE, postgresql_where=_DUE),  # only what is due
    )

    # Anybody may tell of something, also before it is known who calls; what was told is read by its organization.
    __row_policy__: ClassVar[RowPolicy] = RowPolicy(own=_OWN, also_insert="true")

    organization_id: Mapped[UUID | None]
    kind: Mapped[str]
    subject: Mapped[str]
    payload: Mapped[dict[str, Any]]
    actor_kind: Mapped[str | None]
    actor_id: Mapped[UUID | None]
    address: Mapped[str | None]
    user_agent: Mapped[str | None]
    request_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime | None] = mapped_column(default=now, doc="Null when every consumer has it.")


class Delivery(Base):
    """A consumer's receipt for an event, written with its effect, so that the effect happens once."""

    __tablename__ = "event_deliveries"

    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"), primary_key=True)
    consumer: Mapped[str] = mapped_column(primary_key=True)
    delivered_at: Mapped[datetime] = mapped_column(default=now)
