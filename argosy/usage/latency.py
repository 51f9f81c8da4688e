"""How long calls took, as counts in buckets: exact to add up, and an estimate of any percentile.

A bucket counts the calls that took more than the bound before it and at most its own; the last one has no bound.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

BOUNDS_MS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)
# The counters' columns, in order.
BUCKETS = (*(f"ms_{bound}" for bound in BOUNDS_MS), "ms_more")
# What a call of each bucket counts as in a mean: the middle of the bucket, and of the last one where it begins.
MIDDLES_MS = (*((low + high) / 2 for low, high in zip((0, *BOUNDS_MS), BOUNDS_MS, strict=False)), BOUNDS_MS[-1])
_SECONDS = tuple(bound / 1000 for bound in BOUNDS_MS)


def bucket(seconds: float) -> int:
    """Return the number of the bucket that a call belongs to."""
    return bisect_left(_SECONDS, seconds)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A percentile in milliseconds: more than `above`, at most `up_to` where there is a bound, and about `ms`."""

    ms: float
    above: float
    up_to: float | None


def percentile(counts: Sequence[int], share: float) -> Estimate:
    """Estimate a percentile of calls, as if they lay evenly in their bucket; there is at least one."""
    wanted = share * sum(counts)
    number, until = next((place, total) for place, total in enumerate(accumulate(counts)) if total >= wanted and total)
    above = float(BOUNDS_MS[number - 1]) if number else 0.0
    if number == len(BOUNDS_MS):
        return Estimate(above, above, None)
    up_to = float(BOUNDS_MS[number])
    within = (wanted - (until - counts[number])) / counts[number]
    return Estimate(round(above + within * (up_to - above), 3), above, up_to)
