"""Sums of the counters: by product and day, and by month of all but the day.

The database keeps them itself, with triggers of the migrations: whoever writes counters, of this release or the one
before, changes the sums in the same statement. They hold what a sum over `UsageRecord` would give, to the call. On
SQLite a migration that replaces `usage_records` (`batch_alter_table`) loses the triggers and has to make them again.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, date, timedelta
from typing import ClassVar, TypeAlias
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from argosy.kit.db.base import Base
from argosy.kit.db.tenancy import RowPolicy
from argosy.kit.db.types import enum_type
from argosy.kit.principal import PrincipalKind
from argosy.usage.models import Counters, UsageRecord
from argosy.usage.schemas import UsageFilter


class UsageDay(Counters, Base):
    """What an organization used under one product, or under none, on one day."""

    __tablename__ = "usage_days"
    __table_args__ = (Index(None, "product_id", "day"),)
    __row_policy__: ClassVar[RowPolicy] = UsageRecord.__row_policy__

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    product_id: Mapped[UUID] = mapped_column(primary_key=True)


class UsageMonth(Counters, Base):
    """What one caller used of one model version, under one product or none, in one month: `day` is its first."""

    __tablename__ = "usage_months"
    __table_args__ = (Index(None, "product_id", "day"),)
    __row_policy__: ClassVar[RowPolicy] = UsageRecord.__row_policy__

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    principal_id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[UUID] = mapped_column(primary_key=True)
    principal_kind: Mapped[PrincipalKind] = mapped_column(enum_type(PrincipalKind, "principal_kind"))


Source: TypeAlias = type[UsageRecord] | type[UsageDay] | type[UsageMonth]
OF_DAYS = {"customer", "product_id", "day"}


@dataclass(frozen=True, slots=True)
class Part:
    """Where some of what is asked for is read: a table, and which of its days."""

    source: Source
    since: date | None
    until: date | None


def parts(names: Collection[str], only: UsageFilter) -> list[Part]:
    """Return where the sums of what is asked for are read: of the fewest rows that tell them, each day in one part."""
    is_of_one = any(value is not None for value in (only.model, only.version, only.key))
    if not is_of_one and OF_DAYS.issuperset(names):
        return [Part(UsageDay, only.since, only.until)]
    if "day" in names:
        return [Part(UsageRecord, only.since, only.until)]
    return list(_by_month(only.since, only.until))


def _by_month(since: date | None, until: date | None) -> Iterator[Part]:
    """Yield the whole months of a period, and the days before and after them."""
    if MAXYEAR in (since and since.year, until and until.year):  # the month after may be none of the calendar
        yield Part(UsageRecord, since, until)
        return
    first = since and (since if since.day == 1 else _next_month(since))
    after = until and (until + timedelta(days=1)).replace(day=1)  # the first day that is of no whole month
    if first and after and first >= after:
        yield Part(UsageRecord, since, until)
        return
    if first and since != first:
        yield Part(UsageRecord, since, first - timedelta(days=1))
    yield Part(UsageMonth, first, after and after - timedelta(days=1))
    if until and after and until >= after:
        yield Part(UsageRecord, after, until)


def _next_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
