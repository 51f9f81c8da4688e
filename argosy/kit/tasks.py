"""Work that is done wholly or not at all, whoever waits for it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def completed(work: Coroutine[Any, Any, T]) -> T:
    """Return what comes of work that goes on to its end also when its caller is cancelled, who then waits for it.

    For a transaction and what is noted of it in memory: stopped between the two, they would differ.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
