"""When to try again, and how long to wait."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to try, and how patiently.

    The waits double from `base` seconds, with jitter, unless the server asks for one of its own. One that is longer
    than `longest` is not waited for: the error is raised at once, so that the caller can decide.

    >>> Argosy(api_key="ak_…", retries=RetryPolicy(attempts=10, longest=120))
    """

    attempts: int = 4
    base: float = 0.25
    longest: float = 30.0

    def delay(self, attempt: int, response: httpx2.Response | None) -> float | None:
        """Return the seconds to wait before trying again; None when what happened is final.

        No response stands for a connection that failed.
        """
        if attempt + 1 >= self.attempts or (response is not None and response.status_code not in RETRIED_STATUSES):
            return None
        asked = _retry_after(response.headers.get("Retry-After", "")) if response is not None else None
        if asked is None:
            return self._backoff(attempt)
        return asked if asked <= self.longest else None

    def _backoff(self, attempt: int) -> float:
        return min(self.base * 2.0**attempt, self.longest) * (0.5 + random.random() / 2)  # noqa: S311 - no secret


def may_repeat(method: str, headers: Mapping[str, str]) -> bool:
    """Tell whether doing a request twice does no harm: an idempotent one, or one with an Idempotency-Key."""
    return method in IDEMPOTENT_METHODS or "Idempotency-Key" in headers


def _retry_after(value: str) -> float | None:
    """Read seconds or an HTTP date; None where there is neither."""
    if value.isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max((until.astimezone(UTC) - datetime.now(UTC)).total_seconds(), 0.0)
