"""Collecting what is wrong with an input, in bounded space: a hostile body must not buy a huge answer."""

import json
from collections.abc import Sequence

from argosy.signature.errors import MAX_ERRORS, MAX_NAME, ErrorItem, InvalidInput

MAX_BYTES = 8 * 1024
_NOTE_BYTES = 128


class Refusal:
    """The errors found so far: the first ones in full, the rest as a number."""

    def __init__(self) -> None:
        self._items: list[ErrorItem] = []
        self._bytes = _NOTE_BYTES
        self._more = 0

    @property
    def room(self) -> int:
        """How many more errors would be told in full; the others need only be counted."""
        return MAX_ERRORS - len(self._items)

    def add(self, loc: Sequence[str | int], msg: str, kind: str) -> None:
        """Note one error."""
        found = ErrorItem(loc=list(loc), msg=msg, type=kind)
        size = len(json.dumps(found)) + 2
        if self._more or not self.room or self._bytes + size > MAX_BYTES:
            self._more += 1
            return
        self._items.append(found)
        self._bytes += size

    def count(self, more: int) -> None:
        """Note errors that are not told in full."""
        self._more += more

    def error(self, status: int = 422) -> InvalidInput:
        """Return the exception that tells it all."""
        return InvalidInput(self._items, status=status, more=self._more)

    def settle(self) -> None:
        """Raise `InvalidInput` if anything was noted."""
        if self._items or self._more:
            raise self.error()


def refuse(loc: Sequence[str | int], msg: str, kind: str, *, status: int = 422) -> InvalidInput:
    """Return the refusal for one reason."""
    return InvalidInput([ErrorItem(loc=list(loc), msg=msg, type=kind)], status=status)


def cut(name: str) -> str:
    """Return a name that a client made up, cut to a length worth repeating."""
    return name[:MAX_NAME]
