"""When a quota begins anew: at midnight UTC of a day, a Monday, the first of a month, or the first of January."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from argosy.products.plans import Period


@dataclass(frozen=True, slots=True)
class Span:
    """One period; its end belongs to the next one."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


def span(period: Period, moment: datetime) -> Span:
    """Return the period that a moment is in.

    >>> span(Period.WEEK, datetime(2027, 1, 1, tzinfo=UTC)).start.date().isoformat()
    '2026-12-28'
    """
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match period:
        case Period.DAY:
            return Span(day, day + timedelta(days=1))
        case Period.WEEK:  # of ISO 8601: it begins on Monday
            monday = day - timedelta(days=day.weekday())
            return Span(monday, monday + timedelta(days=7))
        case Period.MONTH:
            first = day.replace(day=1)
            return Span(first, (first + timedelta(days=31)).replace(day=1))
        case Period.YEAR:
            new_year = day.replace(month=1, day=1)
            return Span(new_year, new_year.replace(year=day.year + 1))
