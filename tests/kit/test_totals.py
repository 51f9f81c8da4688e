"""What was counted is remembered for a moment if it was many."""

from datetime import UTC, datetime, timedelta

import time_machine

from argosy.kit.db.totals import KEEP, MANY, MOST, Totals


def test_many_are_remembered_for_a_moment_and_few_are_not() -> None:
    totals = Totals()
    with time_machine.travel(datetime(2026, 1, 1, tzinfo=UTC), tick=False) as clock:
        totals.keep("many", MANY)
        totals.keep("few", MANY - 1)
        assert (totals.get("many"), totals.get("few"), totals.get("never")) == (MANY, None, None)
        clock.shift(KEEP - timedelta(seconds=1))
        assert totals.get("many") == MANY
        clock.shift(timedelta(seconds=1))
        assert totals.get("many") is None


def test_so_many_are_remembered() -> None:
    totals = Totals()
    for number in range(MOST + 1):
        totals.keep(number, MANY)
    assert (totals.get(0), totals.get(1), totals.get(MOST)) == (None, MANY, MANY)
