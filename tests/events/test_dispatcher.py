"""The outbox: committed events reach every consumer at least once, and take effect once."""

import pytest
from sqlalchemy import select

from argosy.events.dispatcher import Consumer, Dispatcher
from argosy.events.models import Event
from argosy.events.service import record
from argosy.kit.db.session import Database, WriteSession


class Recorder:
    def __init__(self, failures: int = 0) -> None:
        self.seen: list[str] = []
        self.failures = failures

    async def handle(self, session: WriteSession, event: Event) -> None:
        if self.failures:
            self.failures -= 1
            record(session, "never.seen", "rolled back")
            raise RuntimeError("not now")
        self.seen.append(event.subject)


async def emit(database: Database, *subjects: str) -> None:
    async with database.write() as session:
        for subject in subjects:
            record(session, "thing.happened", subject)


async def due(database: Database) -> int:
    async with database.read() as session:
        return len((await session.scalars(select(Event).where(Event.next_attempt_at.is_not(None)))).all())


async def test_events_arrive_in_order_and_once(database: Database) -> None:
    recorder = Recorder()
    dispatcher = Dispatcher(database, (Consumer("test", "thing.happened", recorder.handle),))
    await emit(database, "a", "b", "c")
    await dispatcher.dispatch_due()
    await dispatcher.dispatch_due()
    assert recorder.seen == ["a", "b", "c"]
    assert await due(database) == 0


async def test_what_is_rolled_back_is_never_told(database: Database) -> None:
    recorder = Recorder()
    with pytest.raises(RuntimeError):
        async with database.write() as session:
            record(session, "thing.happened", "ghost")
            raise RuntimeError
    await Dispatcher(database, (Consumer("test", "thing.happened", recorder.handle),)).dispatch_due()
    assert recorder.seen == []


async def test_a_failing_consumer_is_tried_again_and_the_other_is_not_told_twice(database: Database) -> None:
    good, bad = Recorder(), Recorder(failures=1)
    consumers = (Consumer("good", "thing.happened", good.handle), Consumer("bad", "thing.happened", bad.handle))
    dispatcher = Dispatcher(database, consumers)
    await emit(database, "a")
    await dispatcher.dispatch_due()
    assert (good.seen, bad.seen) == (["a"], [])
    async with database.write() as session:
        event = (await session.scalars(select(Event))).one()
        event.next_attempt_at = event.created_at
    await dispatcher.dispatch_due()
    assert (good.seen, bad.seen) == (["a"], ["a"])
    assert await due(database) == 0


async def test_two_dispatchers_deliver_once(database: Database) -> None:
    import asyncio  # noqa: PLC0415

    recorder = Recorder()
    consumers = (Consumer("test", "thing.happened", recorder.handle),)
    await emit(database, *"abcdefgh")
    await asyncio.gather(*(Dispatcher(database, consumers).dispatch_due() for _ in range(2)))
    assert sorted(recorder.seen) == list("abcdefgh")
