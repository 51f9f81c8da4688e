"""How fast an entitlement may be used: the limiter that all processes share counts, a small share at a time."""

import asyncio
import time
from uuid import UUID

from argosy.kit.rates import RateLimiter, Standing, TooManyRequests

SHARES = 20
# A share counts in the second in which it was taken, and is not saved up for the next.
GOOD_SECONDS = 0.2


class Pace:
    """Calls a second of one entitlement."""

    def __init__(self, rates: RateLimiter, limit: int, entitlement_id: UUID) -> None:
        self.limit = limit
        self._rates = rates
        self._name = ("entitlement", str(entitlement_id))
        self._share = max(1, limit // SHARES)
        self._left = self._room = 0
        self._ends = 0.0
        self._refused_until = 0.0

    def take(self) -> TooManyRequests | bool:
        """Count one call; False when the limiter has to be asked, or the refusal."""
        moment = time.monotonic()
        if moment < self._refused_until:
            return self._refusal()
        if not self._left or moment >= self._ends:
            return False
        self._left -= 1
        return True

    async def acquire(self, calls: int, *, patiently: bool) -> None:
        """Count calls, and wait for them where that is wanted; raises `TooManyRequests`."""
        while calls > 0:
            cost = min(calls, self.limit)
            standing = await self._hit(cost)
            if standing.admitted:
                calls -= cost
            elif not patiently:
                raise self._refusal()
            else:
                await asyncio.sleep(standing.reset)

    async def _hit(self, cost: int) -> Standing:
        """Count some calls, with a share for those that follow where there was room for it."""
        more = self._share - 1 if self._room > 2 * (cost + self._share) else 0
        standing = await self._rates.hit(self.limit, *self._name, cost=cost + more, seconds=1)
        self._room = standing.remaining or self.limit  # nothing left: by the next time another second has begun
        if standing.admitted:
            self._left, self._ends = more, time.monotonic() + GOOD_SECONDS
        elif not standing.remaining:
            self._refused_until = time.monotonic() + GOOD_SECONDS
        return standing

    def _refusal(self) -> TooManyRequests:
        standing = Standing(False, self.limit, 0, 1)
        return TooManyRequests(f"the plan allows {self.limit} calls a second; wait", headers=standing.headers)
