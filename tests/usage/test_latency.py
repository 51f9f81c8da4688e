"""Latency in buckets: where a call belongs, and how far an estimate may be off."""

import random

import pytest

from argosy.usage.latency import BOUNDS_MS, BUCKETS, bucket, percentile


def test_a_bucket_ends_with_its_bound() -> None:
    assert bucket(0.0) == 0
    assert [bucket(bound / 1000) for bound in BOUNDS_MS] == list(range(len(BOUNDS_MS)))
    assert [bucket(bound / 1000 + 1e-9) for bound in BOUNDS_MS] == list(range(1, len(BUCKETS)))
    assert BUCKETS[bucket(3600)] == "ms_more"


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_a_percentile_is_within_what_it_says(share: float) -> None:
    rng = random.Random(5)
    times = sorted(rng.lognormvariate(3, 1.5) for _ in range(5000))
    counts = [0] * len(BUCKETS)
    for ms in times:
        counts[bucket(ms / 1000)] += 1
    true, found = times[int(share * len(times)) - 1], percentile(counts, share)
    assert found.above < true <= (found.up_to or float("inf"))
    assert found.ms == pytest.approx(true, rel=0.2)


def test_of_the_last_bucket_only_its_beginning_is_known() -> None:
    counts = [0] * (len(BUCKETS) - 1) + [3]
    found = percentile(counts, 0.5)
    assert (found.ms, found.above, found.up_to) == (2500, 2500, None)


def test_one_call_is_every_percentile() -> None:
    counts = [0, 0, 1] + [0] * (len(BUCKETS) - 3)
    assert [percentile(counts, share).ms for share in (0.01, 0.5, 1.0)] == [2.03, 3.5, 5.0]
