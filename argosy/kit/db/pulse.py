"""One look at the database for all who wait for what other processes did, or for what time has made due."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import datetime

from sqlalchemy import BindParameter, ColumnElement, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from argosy.kit.clock import now
from argosy.kit.logs import get_logger

log = get_logger(__name__)
# The time at which a statement is run; one that has it need not be made again.
MOMENT: BindParameter[datetime] = bindparam("moment", callable_=now)


class Pulse:
    """Asks all questions in one statement, each time so many seconds later, and gives the signals of those that are so.

    If everybody asked for himself, each would have a transaction: on SQLite ten changes of threads, and as many turns
    of the event loop that requests wait for. What changes in a question is a parameter with a `callable_`.
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
        self._watched: list[tuple[str, ColumnElement[bool]]] = []

    @contextmanager
    def watch(self, signal: str, question: ColumnElement[bool]) -> Iterator[None]:
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
        watched = tuple(self._watched)
        if not watched:
            return
        async with self._read() as session:
            answers = (await session.execute(select(*(question for _, question in watched)))).one()
        self._give({signal for (signal, _), is_so in zip(watched, answers, strict=True) if is_so})
