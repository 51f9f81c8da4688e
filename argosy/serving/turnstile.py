"""A turnstile for large bodies: in one turn of the event loop, no more are read than take five milliseconds.

Reading a large body takes as long as hundreds of small requests. Were all that are there read in one turn, the rest of
what still arrives would wait in its sockets meanwhile, turn after turn, and the slowest caller would wait for everybody
several times over.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

LARGE_BYTES = 16 * 1024
MOST_BYTES = 128 * 1024 * 1024  # that wait: a body which finds so many is read at once, and its memory let go
TURN_SECONDS = 0.005
Entry = Callable[[], None] | asyncio.Future[None]


class Turnstile:
    """Lets in one after the other, in the order in which they came, with a look at the sockets now and then."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Entry, int]] = deque()
        self._bytes = 0

    def enter(self, go: Callable[[], None], size: int) -> None:
        """Call `go`, which does the work itself, when it is the turn of its body of so many bytes: never from here."""
        if self._bytes + size > MOST_BYTES:
            asyncio.get_running_loop().call_soon(go)
        else:
            self._enter(go, size)

    async def turn(self, size: int) -> None:
        """Return when it is the turn of a body of so many bytes."""
        if self._bytes + size > MOST_BYTES:
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._enter(mine, size)
        await mine

    def _enter(self, one: Entry, size: int) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        self._waiting.append((one, size))
        self._bytes += size

    def _next(self) -> None:
        ends = time.monotonic() + TURN_SECONDS
        try:
            while self._waiting:
                one, size = self._waiting.popleft()
                self._bytes -= size
                if isinstance(one, asyncio.Future):
                    if not one.done():
                        one.set_result(None)
                    return  # what waits for it does its work in the next turn
                one()
                if time.monotonic() >= ends:
                    return
        finally:
            # Also after one that raised: it must not hold up the others.
            if self._waiting:
                asyncio.get_running_loop().call_soon(self._next)
