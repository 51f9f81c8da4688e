"""What waits for a model: of each caller in turn, so that one who sends much does not keep the others waiting."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from argosy.serving.runtime import Tensors
from argosy.signature.packing import PackedRows


@dataclass(eq=False, slots=True)
class Ticket:
    """A request's place in the queue of a model."""

    tensors: Tensors
    rows: int
    caller: object
    gone: bool = field(default=False, init=False)  # nobody waits for it any more
    timer: asyncio.TimerHandle | None = field(default=None, init=False)

    @property
    def size(self) -> int:
        """Its bytes; text counts as references to it."""
        tensors = self.tensors
        if type(tensors) is PackedRows:  # quicker than to ask an abstract class
            return len(tensors.content)
        return sum([array.nbytes for array in tensors.values()])

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of a row's tensors: requests run together when they agree on them."""
        return [array.shape[1:] for array in self.tensors.values()]


@dataclass(slots=True)
class Line:
    """The requests of one caller."""

    tickets: deque[Ticket] = field(default_factory=deque)
    rows: int = 0


class FairQueue:
    """Requests in order for each caller, and one of each caller in turn."""

    def __init__(self) -> None:
        self._lines: dict[object, Line] = {}
        self.rows = 0
        self.bytes = 0

    def __bool__(self) -> bool:
        return bool(self._lines)

    def __contains__(self, ticket: Ticket) -> bool:
        line = self._lines.get(ticket.caller)
        return line is not None and ticket in line.tickets

    def append(self, ticket: Ticket) -> None:
        """Queue a request behind its caller's others."""
        line = self._lines.get(ticket.caller)
        if line is None:
            line = self._lines[ticket.caller] = Line()
        line.tickets.append(ticket)
        line.rows += ticket.rows
        self.rows += ticket.rows
        self.bytes += ticket.size

    def all_of_one(self, most: int) -> tuple[list[Ticket], int] | None:
        """Take all that waits, with its rows, where it is of one caller and no more rows than `most`; else nothing."""
        rows = self.rows
        if len(self._lines) != 1 or rows > most:
            return None
        _, line = self._lines.popitem()
        self.rows = self.bytes = 0
        return list(line.tickets), rows

    def first(self) -> Ticket:
        """Return the request whose turn it is."""
        return next(iter(self._lines.values())).tickets[0]

    def pop(self) -> Ticket:
        """Take the request whose turn it is; its caller's next one waits for the other callers'."""
        caller, line = next(iter(self._lines.items()))
        ticket = line.tickets.popleft()
        if line.tickets and len(self._lines) > 1:
            del self._lines[caller]
            self._lines[caller] = line
        self._forget(line, ticket)
        return ticket

    def remove(self, ticket: Ticket) -> None:
        """Take a request out."""
        line = self._lines[ticket.caller]
        line.tickets.remove(ticket)
        self._forget(line, ticket)

    def waiting(self, caller: object) -> int:
        """Return how many rows of a caller wait."""
        line = self._lines.get(caller)
        return line.rows if line is not None else 0

    def greediest(self) -> object:
        """Return the caller of whom most rows wait."""
        return max(self._lines, key=self.waiting)

    def newest(self, caller: object) -> Ticket:
        """Return the last request of a caller."""
        return self._lines[caller].tickets[-1]

    def _forget(self, line: Line, ticket: Ticket) -> None:
        line.rows -= ticket.rows
        if not line.tickets:
            del self._lines[ticket.caller]
        self.rows -= ticket.rows
        self.bytes -= ticket.size
