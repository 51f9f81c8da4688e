"""One look at the database for all who wait."""

import asyncio
from datetime import datetime

from sqlalchemy import ColumnElement, column, exists, false

from argosy.events.models import Event
from argosy.events.service import record
from argosy.kit.db.pulse import Pulse
from argosy.kit.db.session import Database
from tests.support.statements import statements


def any_event_due(moment: datetime) -> ColumnElement[bool]:
    return exists().where(Event.next_attempt_at <= moment)


def never(_: datetime) -> ColumnElement[bool]:
    return false()


async def test_a_signal_is_given_when_what_it_waits_for_is_so(database: Database) -> None:
    pulse, due, other = database.pulse, database.signal("due"), database.signal("other")
    with pulse.watch("other", never):
        with pulse.watch("due", any_event_due):
            await pulse.look()
            assert not due.is_set()
            async with database.write() as session:
                record(session, "thing.happened", "a thing")
            await pulse.look()
            assert (due.is_set(), other.is_set()) == (True, False)
        due.clear()
        await pulse.look()
        assert not due.is_set()


async def test_all_that_is_waited_for_is_asked_in_one_statement(database: Database) -> None:
    pulse = database.pulse
    with pulse.watch("due", any_event_due), pulse.watch("again", any_event_due), statements(database, "events") as seen:
        await pulse.look()
    assert len(seen) == 1


async def test_who_waits_learns_that_the_database_cannot_be_asked(database: Database) -> None:
    asked, answered = 0, asyncio.Event()

    def fails_at_first(_: datetime) -> ColumnElement[bool]:
        nonlocal asked
        asked += 1
        if asked == 4:
            answered.set()
        return exists().where(column("nowhere") == asked) if asked == 1 else false()

    pulse, signal = Pulse(database.read, database.give, 0.01), database.signal("other")
    with pulse.watch("other", fails_at_first):
        running = asyncio.create_task(pulse.run())
        async with asyncio.timeout(5):
            await signal.wait()
            signal.clear()
            await answered.wait()
        running.cancel()
    assert not signal.is_set()
