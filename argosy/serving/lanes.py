"""The models that are loaded: bounded by their number and by what they weigh, and none is unloaded while it runs."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from argosy.serving.batching import Lane
from argosy.serving.cache import SingleFlightCache
from argosy.serving.errors import ModelNotLoadable
from argosy.serving.loading import give_back
from argosy.serving.runtime import Runtime
from argosy.serving.target import Target

LOOK_SECONDS = 0.01
PATIENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Budget:
    """How many models are kept loaded, and how many bytes they may weigh together."""

    models: int
    memory_bytes: int


class Lanes(SingleFlightCache[Target, Lane]):
    """The queues of loaded models; those that were not asked for longest are closed when room is needed."""

    def __init__(
        self, budget: Budget, weigh: Callable[[Target], int], load: Callable[[Target], Awaitable[Lane]]
    ) -> None:
        super().__init__(budget.models, load)
        self._budget = budget
        self._weigh = weigh
        # What is loaded and what is being loaded.
        self._weights: dict[Target, int] = {}

    @property
    def weight(self) -> int:
        """Bytes that the loaded models weigh."""
        return sum(self._weights.values())

    async def _fill(self, key: Target) -> Lane:
        try:
            await self._make_room(key)
            return await super()._fill(key)
        except BaseException:
            self._weights.pop(key, None)
            self._loading.pop(key, None)
            raise

    async def _make_room(self, key: Target) -> None:
        """Close idle models until one more fits, and count it; raises `ModelNotLoadable` when none comes to rest."""
        weight, room = self._weigh(key), self._budget.memory_bytes
        if weight > room:
            raise ModelNotLoadable("the model needs more memory than models may take", retry_after=60)
        ends = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while len(self._weights) >= self._budget.models or self.weight + weight > room:
            if self._close_idle():
                continue
            if asyncio.get_running_loop().time() > ends:
                raise ModelNotLoadable("the memory for models is in use", retry_after=1)
            await asyncio.sleep(LOOK_SECONDS)
        self._weights[key] = weight

    def _close_idle(self) -> bool:
        idle = [(lane.used, target) for target, lane in self._values.items() if lane.is_idle]
        if not idle:
            return False
        _, target = min(idle, key=lambda one: one[0])
        del self._weights[target]
        runtime = self._values.pop(target).close()
        asyncio.get_running_loop().run_in_executor(None, _unload, runtime)
        return True

    def close(self) -> None:
        """Close all, for good."""
        while self._values:
            self._values.popitem()[1].close().close()


def _unload(runtime: Runtime) -> None:
    runtime.close()
    del runtime
    give_back()
