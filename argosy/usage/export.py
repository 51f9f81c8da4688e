"""Usage as CSV (RFC 4180): a line of names, and a line for each group."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from argosy.usage.latency import BUCKETS, percentile
from argosy.usage.models import COUNTERS

SHARES = (50, 95, 99)
ESTIMATES = tuple(f"p{share}_ms" for share in SHARES)


def csv_head(names: Sequence[str]) -> bytes:
    """Return the line of names."""
    return _lines([[*names, *COUNTERS, *ESTIMATES]])


def csv_lines(names: Sequence[str], rows: Iterable[Row[Any]]) -> bytes:
    """Return the lines of groups: columns and counters as they are, and the estimated percentiles."""
    first = len(names) + COUNTERS.index(BUCKETS[0])
    return _lines([*row, *_estimates(row[first : first + len(BUCKETS)])] for row in rows)


def _estimates(counts: Sequence[int]) -> list[float | None]:
    return [percentile(counts, share / 100).ms if any(counts) else None for share in SHARES]


def _lines(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
