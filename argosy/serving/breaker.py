"""A circuit breaker (Nygard, Release It!, 2007): when calls keep failing, none is made until it makes sense again."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

FAILURES = 5
FIRST_LOOK, LONGEST_LOOK = 0.5, 15.0


class Breaker:
    """Remembers whether a server answers. `look` asks it whether it is ready."""

    def __init__(self, look: Callable[[], Awaitable[bool]]) -> None:
        self._look = look
        self._failures = 0
        self._looking: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls would be for nothing."""
        return self._looking is not None

    def succeeded(self) -> None:
        """Note an answer."""
        self._failures = 0

    def failed(self) -> None:
        """Note that there was none."""
        self._failures += 1
        if self._failures >= FAILURES and self._looking is None:
            self._looking = asyncio.create_task(self._until_ready())

    def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()

    async def _until_ready(self) -> None:
        wait = FIRST_LOOK
        while True:
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))  # noqa: S311 - not all at once, no secret
            wait = min(LONGEST_LOOK, wait * 2)
            with suppress(Exception):
                if await self._look():
                    break
        self._failures, self._looking = 0, None
