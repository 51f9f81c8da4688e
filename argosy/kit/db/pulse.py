"""One look at the database for all who wait for what other processes did, or for what time has made due."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from argosy.kit.clock import now
from argosy.kit.logs import get_logger

# What is to be known, at a moment.
Question = Callable[[datetime], ColumnElement[bool]]
log = get_logger(__name__)


class Pulse:
    """Asks all questions in one statement, each time so many seconds later, and gives the signals of those that are so.

    If everybody asked for himself, each would have a transaction: on SQLite ten changes of threads, and as many turns
    of the event loop that requests wait for.
    """

    def __init__(
        self,
        read: Callable[[], AbstractAsyncContextManager[AsyncSession]],
        give: Callable[[Collection[str]], None],
        seconds: float,
    ) -> None:
        self._read = read
        self._give = give
        self._seconds = seconds
        self._watched: list[tuple[str, Question]] = []

    @contextmanager
    def watch(self, signal: str, question: Question) -> Iterator[None]:
        """Have a signal given at every look that finds something so; and at those that fail, which others learn by."""
        watched = (signal, question)
        self._watched.append(watched)
        try:
            yield
        finally:
            self._watched.remove(watched)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait meet it themselves, and tell
                log.warning("pulse_missed", error=repr(error))
                self._give({signal for signal, _ in self._watched})

    async def look(self) -> None:
        """Look once."""
        watched, moment = tuple(self._watched), now()
        if not watched:
            return
        async with self._read() as session:
            answers = (await session.execute(select(*(question(moment) for _, question in watched)))).one()
        self._give({signal for (signal, _), is_so in zip(watched, answers, strict=True) if is_so})
