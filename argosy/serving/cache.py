"""A bounded cache of things that are slow to make: made off the event loop, once, however many wait for them."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def _nothing(_: object) -> None:
    """Let a value go as it is."""


class SingleFlightCache(Generic[K, V]):
    """Keeps the values used last, and has the others dropped. A failure is not kept: the next caller tries again."""

    def __init__(self, capacity: int, load: Callable[[K], Awaitable[V]], drop: Callable[[V], None] = _nothing) -> None:
        self._capacity = capacity
        self._load = load
        self._drop = drop
        self._values: OrderedDict[K, V] = OrderedDict()
        self._loading: dict[K, asyncio.Task[V]] = {}

    def values(self) -> list[V]:
        """Return all values."""
        return [*self._values.values()]

    async def get(self, key: K) -> V:
        """Return the value of a key, loading it at first use."""
        while key not in self._values:
            task = self._loading.get(key)
            if task is None:
                task = self._loading[key] = asyncio.create_task(self._fill(key))
            # A caller that goes away must not take the load from the others.
            await asyncio.shield(task)
        self._values.move_to_end(key)
        return self._values[key]

    async def _fill(self, key: K) -> V:
        try:
            value = await self._load(key)
        finally:
            del self._loading[key]
        self._values[key] = value
        self._bound()
        return value

    def _bound(self) -> None:
        while len(self._values) > self._capacity:
            self._drop(self._values.popitem(last=False)[1])
