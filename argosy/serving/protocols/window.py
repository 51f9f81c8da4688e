"""How much of one connection is in flight."""

import asyncio


class Window:
    """Bounds what is in flight, in requests and in bytes; one that is too large goes alone.

    >>> await window.enter(len(frame))
    >>> try:
    ...     await answer(frame)
    ... finally:
    ...     window.leave(len(frame))
    """

    def __init__(self, requests: int, size: int) -> None:
        self._most = requests
        self._largest = size
        self._requests = 0
        self._bytes = 0
        self._left = asyncio.Event()

    async def enter(self, size: int) -> None:
        """Wait until there is room."""
        while self._requests and (self._requests >= self._most or self._bytes + size > self._largest):
            self._left.clear()
            await self._left.wait()
        self._requests += 1
        self._bytes += size

    def leave(self, size: int) -> None:
        """Make room."""
        self._requests -= 1
        self._bytes -= size
        self._left.set()
