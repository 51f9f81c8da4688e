"""The loop of whoever does things at their time: woken by a signal, and when the next one is due."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from argosy.kit.clock import now
from argosy.kit.db.session import Database
from argosy.kit.logs import get_logger

# Another process may have made something due, and its signal may be lost.
LONGEST_SECONDS = 5.0
SHORTEST_SECONDS = 0.02
log = get_logger(__name__)


async def attend(database: Database, name: str, work: Callable[[], Awaitable[datetime | None]]) -> None:
    """Work until cancelled; `work` does what is due, and returns when the next is."""
    signal = database.signal(name)
    while True:
        signal.clear()
        pause = LONGEST_SECONDS
        try:
            due = await work()
            if due is not None:
                pause = min(max((due - now()).total_seconds(), SHORTEST_SECONDS), LONGEST_SECONDS)
        except Exception:
            log.exception("work_failed", work=name)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await signal.wait()
