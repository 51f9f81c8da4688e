"""When to try again, and how long to wait."""

import random

import httpx2

MAX_ATTEMPTS = 4
BASE_SECONDS = 0.25
MAX_SECONDS = 30.0
RETRIED_STATUSES = frozenset({429, 502, 503, 504})
SAFE_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE"})


def may_repeat(method: str, headers: dict[str, str]) -> bool:
    """Tell whether doing a request twice does no harm: a safe one, or one with an Idempotency-Key."""
    return method in SAFE_METHODS or "Idempotency-Key" in headers


def delay_before(attempt: int, response: httpx2.Response | None) -> float:
    """Return the seconds to wait before the next attempt: what the server asks for, else doubling with jitter."""
    asked = response.headers.get("Retry-After", "") if response is not None else ""
    if asked.isdecimal():
        return min(float(asked), MAX_SECONDS)
    return min(BASE_SECONDS * 2.0**attempt, MAX_SECONDS) * (0.5 + random.random() / 2)  # noqa: S311 - no secret


def is_worth_repeating(response: httpx2.Response) -> bool:
    """Tell whether the answer says that trying again may help."""
    return response.status_code in RETRIED_STATUSES
