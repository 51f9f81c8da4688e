"""Totals of long lists, remembered for a moment: counting many rows takes longer than showing a page of them."""

from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select

from argosy.kit.clock import now
from argosy.kit.db.tenancy import Actor

MANY = 1000
KEEP = timedelta(seconds=30)
MOST = 500


class Totals:
    """What was counted lately, if it was many; fewer rows are counted each time."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[tuple[int, ...], datetime]] = OrderedDict()

    def get(self, key: Hashable) -> int | None:
        """Return what was counted for a key, unless that is too long ago."""
        figures = self.figures(key)
        return figures[0] if figures else None

    def figures(self, key: Hashable) -> tuple[int, ...] | None:
        """Return what was counted for a key, and what was summed with it, unless that is too long ago."""
        figures, until = self._kept.get(key, (None, now()))
        return figures if until > now() else None

    def keep(self, key: Hashable, total: int, *sums: int) -> None:
        """Remember what was counted, and what was summed with it, if it was many."""
        self._kept.pop(key, None)
        if total < MANY:
            return
        self._kept[key] = ((total, *sums), now() + KEEP)
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)


def key_of(actor: Actor, statement: Select[Any]) -> Hashable | None:
    """Return what a SELECT for somebody is known by; None if nothing tells it from others."""
    known = statement._generate_cache_key()  # noqa: SLF001 - as SQLAlchemy's own example of a cache has it
    return known and (actor, known.key, *(repr(parameter.value) for parameter in known.bindparams))
