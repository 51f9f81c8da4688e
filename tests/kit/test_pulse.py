"""One look at the database for all who wait."""

import asyncio

from sqlalchemy import Integer, bindparam, exists, false, literal

from argosy.events.models import Event
from argosy.events.service import record
from argosy.kit.db.pulse import MOMENT, Pulse
from argosy.kit.db.session import Database
from tests.support.statements import statements

ANY_EVENT_DUE = exists().where(Event.next_attempt_at <= MOMENT)


async def test_a_signal_is_given_when_what_it_waits_for_is_so(database: Database) -> None:
    pulse, due, other = database.pulse, database.signal("due"), database.signal("other")
    with pulse.watch("other", false()):
        with pulse.watch("due", ANY_EVENT_DUE):
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
    with pulse.watch("due", ANY_EVENT_DUE), pulse.watch("again", ANY_EVENT_DUE), statements(database, "events") as seen:
        await pulse.look()
    assert len(seen) == 1


async def test_who_waits_learns_that_the_database_cannot_be_asked(database: Database) -> None:
    asked, answered = 0, asyncio.Event()

    def fails_at_first() -> int:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise OSError
        if asked == 4:
            answered.set()
        return asked

    question = literal(0) == bindparam("asked", callable_=fails_at_first, type_=Integer)
    pulse, signal = Pulse(database.read, database.give, 0.01), database.signal("other")
    with pulse.watch("other", question):
        running = asyncio.create_task(pulse.run())
        async with asyncio.timeout(5):
            await signal.wait()
            signal.clear()
            await answered.wait()
        running.cancel()
    assert not signal.is_set()


async def test_work_that_fails_is_done_again_at_the_next_signal(database: Database) -> None:
    done = 0
    finished = asyncio.Event()

    async def work() -> None:
        nonlocal done
        done += 1
        if done == 1:
            database.give(["work"])  # while it works, and it must not be lost
            raise RuntimeError
        finished.set()

    running = asyncio.create_task(database.at_each("work", work, "work_failed"))
    async with asyncio.timeout(5):
        await finished.wait()
    finished.clear()
    await asyncio.sleep(0.05)
    assert done == 2
    database.give(["work"])
    async with asyncio.timeout(5):
        await finished.wait()
    running.cancel()
