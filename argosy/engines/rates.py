"""Counting requests against limits, in this process or, with Redis, over all of them."""

import time
from typing import Any

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter
from limits.errors import StorageError
from limits.storage import storage_from_string

from argosy.kit.logs import get_logger
from argosy.kit.rates import MINUTE, Standing

CONNECTIONS = 32
# The two kinds of window are kept differently, so they never share a name.
HITS, ATTEMPTS = "hits", "attempts"
SECONDS = 3.0
log = get_logger(__name__)


class SharedRateLimiter:
    """Counts by name; exact under concurrency, over processes too when they share Redis.

    While Redis is away each process counts for itself: a limit that is too wide for a moment is better than no service.
    """

    def __init__(self, url: str) -> None:
        self._shared = _storage(url)
        self._local = MemoryStorage()

    async def hit(self, limit: int, *name: str, cost: int = 1, seconds: int = MINUTE) -> Standing:
        """Count one request, or as many at once as it costs, in windows of a minute, or of so many seconds."""
        item = _window(limit, seconds)
        try:
            return await _fixed(self._shared, item, name, cost)
        except StorageError as error:
            log.warning("rate_limits_away", error=repr(error.storage_error))
            return await _fixed(self._local, item, name, cost)

    async def attempt(self, limit: int, *name: str) -> Standing:
        """Count one attempt in a window that moves: at no time more than the limit within a minute."""
        item = RateLimitItemPerMinute(limit, namespace=ATTEMPTS)
        try:
            return await _moving(self._shared, item, name)
        except StorageError as error:
            log.warning("rate_limits_away", error=repr(error.storage_error))
            return await _moving(self._local, item, name)

    async def forgive(self, limit: int, *name: str) -> None:
        """Forget the attempts of a name."""
        item = RateLimitItemPerMinute(limit, namespace=ATTEMPTS)
        for storage in (self._shared, self._local):
            try:
                await MovingWindowRateLimiter(storage).clear(item, *name)
            except StorageError as error:
                log.warning("rate_limits_away", error=repr(error.storage_error))


def _window(limit: int, seconds: int) -> RateLimitItem:
    if seconds == MINUTE:
        return RateLimitItemPerMinute(limit, namespace=HITS)
    return RateLimitItemPerSecond(limit, seconds, namespace=HITS)


def _storage(url: str) -> Storage:
    if url.startswith("memory://"):
        return MemoryStorage()
    try:
        from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise RuntimeError("Redis needs the extra 'redis': pip install 'argosy[redis]'") from error
    # The driver's own pool refuses a burst; this one lets it wait, but not on a server that is gone.
    pool = BlockingConnectionPool.from_url(
        url, max_connections=CONNECTIONS, timeout=SECONDS, socket_timeout=SECONDS, socket_connect_timeout=SECONDS
    )
    options: dict[str, Any] = {"connection_pool": pool, "implementation": "redispy", "wrap_exceptions": True}
    storage = storage_from_string(f"async+{url}", **options)
    assert isinstance(storage, Storage)  # noqa: S101 - an async URL gives an async storage
    return storage


async def _fixed(storage: Storage, item: RateLimitItem, name: tuple[str, ...], cost: int) -> Standing:
    limiter = FixedWindowRateLimiter(storage)
    admitted = await limiter.hit(item, *name, cost=cost)
    return _standing(item, await limiter.get_window_stats(item, *name), admitted=admitted)


async def _moving(storage: Storage, item: RateLimitItem, name: tuple[str, ...]) -> Standing:
    limiter = MovingWindowRateLimiter(storage)
    admitted = await limiter.hit(item, *name)
    return _standing(item, await limiter.get_window_stats(item, *name), admitted=admitted)


def _standing(item: RateLimitItem, stats: tuple[float, int], *, admitted: bool) -> Standing:
    reset_at, remaining = stats
    seconds = min(max(1, round(reset_at - time.time() + 0.5)), item.get_expiry())
    return Standing(admitted, item.amount, max(0, remaining), seconds)
