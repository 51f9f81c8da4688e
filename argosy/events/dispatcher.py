"""Takes events from the outbox to their consumers, at least once, and once in effect.

A consumer's effect and its receipt share a transaction. After kill -9 the event is still due; consumers that have a
receipt are passed over. A courier acts outside the database, so no transaction waits for it; its receipt follows, and
a crash between the two makes it act again.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from argosy.events.models import Event
from argosy.events.repository import EventRepository
from argosy.events.service import SIGNAL
from argosy.kit.clock import now
from argosy.kit.db.session import Database, WriteSession
from argosy.kit.logs import get_logger

BATCH = 100
MAX_BACKOFF = 300
log = get_logger(__name__)

Handler = Callable[[WriteSession, Event], Awaitable[None]]
EVERY = "*"


@dataclass(frozen=True, slots=True)
class Consumer:
    """Someone who acts on events of a kind, or `EVERY`; the name must stay the same over releases."""

    name: str
    kind: str
    handle: Handler

    async def deliver(self, database: Database, event: Event) -> None:
        """Act within the transaction of the receipt."""
        async with database.write() as session:
            if await EventRepository(session).receive(event.id, self.name):
                await self.handle(session, event)


@dataclass(frozen=True, slots=True)
class Courier:
    """Someone who carries events of a kind out of the database."""

    name: str
    kind: str
    carry: Callable[[Event], Awaitable[None]]

    async def deliver(self, database: Database, event: Event) -> None:
        """Act, then write the receipt."""
        async with database.read() as session:
            if await EventRepository(session).has_receipt(event.id, self.name):
                return
        await self.carry(event)
        async with database.write() as session:
            await EventRepository(session).receive(event.id, self.name)


class Dispatcher:
    """The loop that empties the outbox."""

    def __init__(self, database: Database, consumers: tuple[Consumer | Courier, ...]) -> None:
        self._database = database
        self._consumers = consumers

    async def run(self) -> None:
        """Dispatch until cancelled."""
        with self._database.pulse.watch(SIGNAL, EventRepository.has_due()):
            await self._database.at_each(SIGNAL, self._dispatch_all, "dispatch_failed")

    async def _dispatch_all(self) -> None:
        while await self.dispatch_due() == BATCH:
            pass

    async def dispatch_due(self) -> int:
        """Dispatch one batch; return how many events it had."""
        async with self._database.read() as session:
            events = await EventRepository(session).due(BATCH)
        settled = [event.id for event in events if await self._dispatch(event)]
        if settled:
            async with self._database.write() as session:
                await EventRepository(session).settle(settled)
        return len(events)

    async def _dispatch(self, event: Event) -> bool:
        for consumer in self._consumers:
            if consumer.kind not in {event.kind, EVERY}:
                continue
            try:
                await consumer.deliver(self._database, event)
            except Exception:
                log.exception("delivery_failed", event_kind=event.kind, event_id=str(event.id), consumer=consumer.name)
                await self._postpone(event)
                return False
        return True

    async def _postpone(self, event: Event) -> None:
        delay = timedelta(seconds=min(MAX_BACKOFF, 2**event.attempts))
        async with self._database.write() as session:
            await EventRepository(session).postpone(event.id, now() + delay)
