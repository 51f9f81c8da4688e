"""The audit log: what happened, in chains that show when a link was changed or taken out."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from argosy.kit.db.base import Base
from argosy.kit.db.tenancy import RowPolicy
from argosy.kit.db.types import BigInt, Json

PLATFORM = UUID(int=0)


class AuditEntry(Base):
    """One link of an organization's chain, or of `PLATFORM`'s. Entries outlive their organization."""

    __tablename__ = "audit_entries"
    __row_policy__: ClassVar[RowPolicy] = RowPolicy()
    __table_args__ = (
        Index("uq_audit_entries_organization_id_sequence", "organization_id", "sequence", unique=True),
        Index("ix_audit_entries_organization_id_action", "organization_id", "action"),
        Index("ix_audit_entries_organization_id_actor_id", "organization_id", "actor_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, doc="The event's.")
    organization_id: Mapped[UUID]
    sequence: Mapped[int] = mapped_column(BigInt)
    at: Mapped[datetime]
    action: Mapped[str]
    subject: Mapped[str]
    actor_kind: Mapped[str | None]
    actor_id: Mapped[UUID | None]
    address: Mapped[str | None]
    user_agent: Mapped[str | None]
    request_id: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(Json)
    previous_hash: Mapped[str]
    hash: Mapped[str]


class AuditChain(Base):
    """The newest link of a chain; its row is locked while one is added."""

    __tablename__ = "audit_chains"

    chain: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInt)
    hash: Mapped[str]
