"""Totals of long lists, remembered for a moment: counting many rows takes longer than showing a page of them."""

from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta

from argosy.kit.clock import now

MANY = 10_000
KEEP = timedelta(seconds=30)
MOST = 500


class Totals:
    """What was counted lately, if it was many; fewer rows are counted each time."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[int, datetime]] = OrderedDict()

    def get(self, key: Hashable) -> int | None:
        """Return what was counted for a key, unless that is too long ago."""
        total, until = self._kept.get(key, (None, now()))
        return total if until > now() else None

    def keep(self, key: Hashable, total: int) -> None:
        """Remember what was counted, if it was many."""
        self._kept.pop(key, None)
        if total < MANY:
            return
        self._kept[key] = (total, now() + KEEP)
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)
