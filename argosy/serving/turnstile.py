"""A turnstile for large bodies: in one turn of the event loop, no more are read than take ten milliseconds.

Reading a large body takes as long as hundreds of small requests. Were all that are there read in one turn, the rest of
what still arrives would wait in its sockets meanwhile, turn after turn, and the slowest caller would wait for everybody
several times over.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

LARGE_BYTES = 16 * 1024
TURN_SECONDS = 0.01


class Turnstile:
    """Lets in one after the other, in the order in which they came, with a look at the sockets now and then."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None] | asyncio.Future[None]] = deque()

    def enter(self, go: Callable[[], None]) -> None:
        """Call `go`, which does the work itself, when it is its turn: never from here."""
        self._enter(go)

    async def turn(self) -> None:
        """Return when it is the caller's turn."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._enter(mine)
        await mine

    def _enter(self, one: Callable[[], None] | asyncio.Future[None]) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        self._waiting.append(one)

    def _next(self) -> None:
        ends = time.monotonic() + TURN_SECONDS
        one = self._waiting.popleft()
        try:
            # What is waited for does its work in the next turn, so it is the last of this one.
            while not isinstance(one, asyncio.Future):
                one()
                if not self._waiting or time.monotonic() >= ends:
                    return
                one = self._waiting.popleft()
            if not one.done():
                one.set_result(None)
        finally:
            # Also after one that raised: it must not hold up the others.
            if self._waiting:
                asyncio.get_running_loop().call_soon(self._next)
