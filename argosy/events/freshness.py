"""Whether what was read earlier may still be believed: events tell when it no longer may, from any process."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import false

from argosy.events.effects import CHANGED, HARMLESS, MODEL_CHANGED, model_signal, signals_of
from argosy.events.repository import EventRepository
from argosy.kit.db.session import Database
from argosy.kit.logs import get_logger

LOOK = "events.look"
# Ids are ordered by when they were made, not committed: a transaction may come to light this much later.
LATE_SECONDS = 15.0
# A credential can also run out, which is no event.
BELIEVED_SECONDS = 30.0
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Belief:
    """Until when something is believed that was looked up after this was made; of one model, or of any."""

    signal: str | None  # of the model
    stamp: int
    ends: float


class Freshness:
    """Keeps stamps that differ as soon as anything that a kept answer may rest on has changed.

    A change made in this process counts from its commit; one made in another process, from when it tells of it (on this
    machine, or through Redis), from the next poll, or from the moment the database can no longer be asked.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._since = _lately()
        self._seen: set[UUID] = set()

    @property
    def stamp(self) -> int:
        """Return what to keep beside an answer, read before it was looked up, and to compare later."""
        return self.general + self.special(MODEL_CHANGED)

    @property
    def general(self) -> int:
        """Return the part of every stamp that tells of what is not of one model: both parts only grow."""
        return self._database.given(CHANGED)

    def special(self, signal: str) -> int:
        """Return the part of a stamp that tells of one model, by its `model_signal`."""
        return self._database.given(signal)

    def stamp_of(self, signal: str) -> int:
        """Return a stamp for what rests on one model, whatever changes of the others."""
        return self.general + self.special(signal)

    def belief(self, model: str | None = None) -> Belief:
        """Return what to keep beside what is looked up now, and to ask `holds` about later; `model` as `org/name`."""
        signal = None if model is None else model_signal(model)
        return Belief(signal, self._stamp(signal), time.monotonic() + BELIEVED_SECONDS)

    def holds(self, belief: Belief) -> bool:
        """Tell whether nothing has changed since, and not for too long."""
        return belief.stamp == self._stamp(belief.signal) and time.monotonic() < belief.ends

    def _stamp(self, signal: str | None) -> int:
        return self.stamp if signal is None else self.stamp_of(signal)

    async def run(self) -> None:
        """Look for changes of other processes until cancelled."""
        signal = self._database.signal(LOOK)
        news = EventRepository.has_other_changes(lambda: self._since, HARMLESS, lambda: len(self._seen))
        pulse = self._database.pulse
        # The look itself may wait long for a database that is away: the pulse, which failed at it, tells at once.
        with pulse.watch(LOOK, news), pulse.watch(CHANGED, false()):
            while True:
                signal.clear()
                try:
                    await self.look()
                except Exception as error:  # noqa: BLE001 - whatever it is, nothing can be believed meanwhile
                    log.warning("freshness_unknown", error=repr(error))
                    self._database.give([CHANGED])
                with suppress(TimeoutError):  # what has been seen is forgotten after a while
                    async with asyncio.timeout(LATE_SECONDS):
                        await signal.wait()

    async def look(self) -> None:
        """Look once."""
        since = _lately()
        async with self._database.read() as session:
            found = await EventRepository(session).changes(since, HARMLESS)
        new = [found[event_id] for event_id in found.keys() - self._seen]
        self._database.give({signal for kind, subject in new for signal in signals_of(kind, subject)})
        self._since, self._seen = since, set(found)


def _lately() -> UUID:
    """Return the id before those of what may have come to light since the last look."""
    return UUID(int=int((time.time() - LATE_SECONDS) * 1000) << 80)
