"""Metered use: counters per caller, model version and day, and the journal segments already counted."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from argosy.kit.clock import now
from argosy.kit.db.base import Base, TenantRow
from argosy.kit.db.types import BigInt, enum_type
from argosy.kit.principal import PrincipalKind

COUNTER_KEY = ("organization_id", "principal_id", "model_id", "version", "day")


class UsageRecord(TenantRow):
    """What one caller used of one model version on one day (UTC).

    It names the model by text too, and refers to no row: what was used stays when the model or the key is deleted.
    """

    __tablename__ = "usage_records"
    __table_args__ = (UniqueConstraint(*COUNTER_KEY),)

    principal_kind: Mapped[PrincipalKind] = mapped_column(enum_type(PrincipalKind, "principal_kind"))
    principal_id: Mapped[UUID]
    model_id: Mapped[UUID] = mapped_column(index=True)
    model: Mapped[str]
    version: Mapped[int]
    day: Mapped[date]
    calls: Mapped[int] = mapped_column(BigInt)
    rows: Mapped[int] = mapped_column(BigInt)


class CountedSegment(Base):
    """A journal segment whose entries are in the counters, so that it is never counted twice."""

    __tablename__ = "usage_segments"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    counted_at: Mapped[datetime] = mapped_column(default=now, index=True)
