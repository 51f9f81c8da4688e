"""The loop of whoever does things at their time: woken by a signal, and when the next one is due."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Protocol, TypeVar

from argosy.kit.clock import now
from argosy.kit.db.session import Database, ReadSession
from argosy.kit.logs import get_logger

AT_ONCE = 8
# Another process may have made something due, and its signal may be lost.
LONGEST_SECONDS = 5.0
SHORTEST_SECONDS = 0.02
K = TypeVar("K")
K_co = TypeVar("K_co", covariant=True)
log = get_logger(__name__)


class Agenda(Protocol[K_co]):
    """Knows what is to be done, by its key."""

    async def due(self, limit: int) -> Sequence[K_co]:
        """Return what is to be done now."""
        ...

    async def next_due(self) -> datetime | None:
        """Return when something is to be done next."""
        ...


async def attend(
    database: Database,
    name: str,
    agenda: Callable[[ReadSession], Agenda[K]],
    do: Callable[[K], Awaitable[None]],
) -> None:
    """Do what is due until cancelled. Whoever does a thing claims it first: what fails is due again by itself."""
    signal = database.signal(name)
    while True:
        signal.clear()
        pause = LONGEST_SECONDS
        try:
            next_due = await _do_all(database, name, agenda, do)
            if next_due is not None:
                pause = min(max((next_due - now()).total_seconds(), SHORTEST_SECONDS), LONGEST_SECONDS)
        except Exception:
            log.exception("work_failed", work=name)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await signal.wait()


async def _do_all(
    database: Database,
    name: str,
    agenda: Callable[[ReadSession], Agenda[K]],
    do: Callable[[K], Awaitable[None]],
) -> datetime | None:
    """Do all that is due, some at once; return when the next is."""

    async def one(key: K) -> None:
        try:
            await do(key)
        except Exception:  # the others go on
            log.exception("work_failed", work=name, about=str(key))

    while True:
        async with database.read() as session:
            due = await agenda(session).due(AT_ONCE)
            if not due:
                return await agenda(session).next_due()
        async with asyncio.TaskGroup() as group:
            for key in due:
                group.create_task(one(key))
        if len(due) < AT_ONCE:
            return now()
