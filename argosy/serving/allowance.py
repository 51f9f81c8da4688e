"""Counting a caller's predictions without asking the store for each: a small share of the limit is taken in advance."""

import asyncio
import time

from argosy.kit.principal import Principal
from argosy.kit.rates import RateLimiter, Standing

SHARES = 1000
LOW = 4
REFUSED_SECONDS = 1.0


class Allowance:
    """What one caller may still send before the store is asked again.

    The store has counted all of it already, so that all processes together never admit more than the limit.
    """

    def __init__(self, rates: RateLimiter, limit: int, principal: Principal) -> None:
        self._rates = rates
        self._limit = limit
        self._name = ("predict", principal.kind, str(principal.id))
        self._share = max(1, limit // SHARES)
        self._left = 0
        self._beyond = 0
        self._ends = 0.0
        self._refused_until = 0.0
        self._short = 0
        self._taking: asyncio.Task[None] | None = None

    def take(self, now: float) -> Standing | asyncio.Task[None]:
        """Count one request at a time of the monotonic clock; or return what asks the store, to be waited for.

        What the store refused is refused here too, for a moment.
        """
        if now < self._refused_until:
            return Standing(False, self._limit, 0, int(self._refused_until - now) + 1)
        if now >= self._ends:
            self._left = 0
        taking = self._taking
        if taking is None and self._left * LOW <= self._share:
            taking = self._taking = asyncio.create_task(self._refill())
        if not self._left:
            assert taking is not None  # noqa: S101 - little is left
            self._short += 1
            return taking
        self._left -= 1
        return Standing(True, self._limit, self._beyond + self._left, int(self._ends - now) + 1)

    def take_all(self, now: float, count: int) -> Standing | None:
        """Count requests that came together, where all of them are admitted by what is held; else count none."""
        if now < self._refused_until or now >= self._ends or self._left < count:
            return None
        self._left -= count
        if self._taking is None and self._left * LOW <= self._share:
            self._taking = asyncio.create_task(self._refill())
        return Standing(True, self._limit, self._beyond + self._left, int(self._ends - now) + 1)

    async def _refill(self) -> None:
        try:
            cost, self._short = max(self._share, self._short), 0
            standing = await self._rates.hit(self._limit, *self._name, cost=cost)
            if standing.admitted:
                ends = time.monotonic() + standing.reset - 1
                self._left = cost + (self._left if ends - self._ends < 1 else 0)
                self._beyond, self._ends = standing.remaining, ends
            elif not standing.remaining and not self._left:
                self._refused_until = time.monotonic() + min(standing.reset, REFUSED_SECONDS)
        finally:
            self._taking = None
