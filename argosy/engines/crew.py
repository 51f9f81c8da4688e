"""The workers of one machine, as one of them sees the others: all it shares with them goes through their supervisor."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from pydantic import JsonValue, TypeAdapter

from argosy.engines.channel import Channel, Unanswered
from argosy.engines.counting import CrewRates
from argosy.kit.db.session import Database
from argosy.kit.figures import FAMILIES, Family
from argosy.kit.logs import get_logger
from argosy.kit.rates import RateLimiter

SCRAPE_SECONDS = 8.0
NAMES = TypeAdapter(list[str])
log = get_logger(__name__)


class Crew:
    """One worker's way to the others."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._database: Database | None = None
        self._own_figures: Callable[[], list[Family]] = list
        self._leads = asyncio.Event()
        self.retired = asyncio.Event()
        handlers = {"wake": self._woken, "lead": self._lead, "retire": self._retire, "figures": self._figures}
        self._channel = Channel(handlers)
        self.rates: RateLimiter = CrewRates(self._channel)

    async def listen(self) -> asyncio.Task[None]:
        """Begin to hear the supervisor; the task ends when it is gone."""
        return await self._channel.open(self._end)

    def join(self, database: Database, figures: Callable[[], list[Family]]) -> None:
        """Share the signals of a database with the others, and figures with whoever asks for those of all."""
        self._database, self._own_figures = database, figures
        database.share(lambda names: self._channel.tell("wake", [*names]))

    def tell(self, kind: str) -> None:
        """Tell the supervisor how far this worker is."""
        self._channel.tell(kind)

    async def lead(self, works: Sequence[Callable[[], Awaitable[None]]]) -> None:
        """Do what one worker of the machine does for all, from when it is this one's turn."""
        await self._leads.wait()
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(_running(work))

    async def all_figures(self) -> list[Family]:
        """Return the figures of all workers; raises `Unanswered`."""
        return FAMILIES.validate_python(await self._channel.ask("scrape", seconds=SCRAPE_SECONDS))

    async def leave(self) -> None:
        """Give the last figures, before the process ends."""
        with suppress(Unanswered):
            await self._channel.ask("left", await self._figures(None))

    async def _woken(self, names: JsonValue) -> None:
        if self._database is not None:
            self._database.give(NAMES.validate_python(names))

    async def _lead(self, _: JsonValue) -> None:
        self._leads.set()

    async def _retire(self, _: JsonValue) -> None:
        self.retired.set()

    async def _figures(self, _: JsonValue) -> JsonValue:
        figures: JsonValue = FAMILIES.dump_python(self._own_figures(), mode="json")
        return figures


async def _running(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except Exception:
        # The others go on, as they would if each were on its own.
        log.exception("work_for_all_ended")
