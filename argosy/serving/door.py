"""The way to a model for what needs nothing but to be read: requests that come about the same time enter together.

What holds for all of them is asked once: the time, whether their caller is still believed, and how often it may call.
They run at once and together, without a place in the queue each. Whatever has to wait for something goes alone.

A request that is by itself enters in the next turn of the event loop. Where others come, the door is held for a few
turns while more do: a batch costs much the same whatever its size.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from argosy.kit.web.metrics import Series
from argosy.serving.allowance import Allowance
from argosy.serving.answers import Asked, Call, Consumption
from argosy.serving.batching import Lane
from argosy.serving.grants import Grant
from argosy.serving.heads import Head
from argosy.serving.placement import AnyLane
from argosy.serving.protocols.oip_form import InferForm
from argosy.serving.turnstile import LARGE_BYTES
from argosy.signature.tensors import Batch

MOST_TURNS = 3  # for which the door is held after the first
HELD_SECONDS = 0.005  # turns may be long


class Visitor(Protocol):
    """A request at the door; `call` is what it became."""

    head: Head
    body: bytes
    call: Call | None

    def reply(self, call: Call, result: bytes | Exception) -> None:
        """Take the answer."""
        ...

    def go_alone(self) -> None:
        """Be submitted by itself: something about it has to be waited for."""
        ...

    def go_the_long_way(self) -> None:
        """Be answered by the typed route."""
        ...


@dataclass(eq=False, slots=True)
class Access:
    """One key on one URL: who that is, what answers, and until when both are believed.

    `door` is None where every call has to be taken by itself: of a quota, or on another server.
    """

    consumption: Consumption
    lane: AnyLane
    allowance: Allowance
    form: InferForm | None  # of the inference protocol; None for the typed one
    route: str
    timed: Series
    signal: str  # of changes of the model
    stamp: int
    ends: float
    grant: Grant | None  # what another organization's model is used by
    door: "Door | None"
    visitors: list[Visitor] = field(default_factory=list)

    def door_for(self, head: Head) -> "Door | None":
        """Return the door, where a request is small and says nothing that has to be seen to by itself."""
        alone = head.timeout is not None or head.request_id is not None or head.length > LARGE_BYTES
        return None if alone else self.door

    def read(self, head: Head, body: bytes, max_rows: int) -> tuple[Batch, Asked | None]:
        """Return what the model runs on, and what is wanted of its outputs; raises `InvalidInput` or `ArgosyError`."""
        if self.form is None:
            return self.consumption.signature.parse(body, max_rows=max_rows), None
        return self.form.read(body, head.json_length, max_rows)

    def leave(self, visitor: Visitor) -> None:
        """Go from the door, where nobody waits for the answer any more."""
        if visitor in self.visitors:
            self.visitors.remove(visitor)


class Door:
    """Takes the requests for one model that is loaded here."""

    def __init__(
        self, holds: Callable[[Access, float], bool], turn_away: Callable[[Sequence[Call]], None], max_rows: int
    ) -> None:
        self._holds = holds
        self._turn_away = turn_away
        self._max_rows = max_rows
        self._loop = asyncio.get_running_loop()
        self._accesses: list[Access] = []
        self._opening: asyncio.Future[None] | None = None
        self._begun = 0.0
        self._knocks = self._seen = self._turns = 0

    def knock(self, access: Access, visitor: Visitor) -> None:
        """Take a request in with the others, in one of the next turns of the event loop."""
        if not access.visitors:
            if not self._accesses:
                self._begun = time.monotonic()
                self._knocks, self._seen, self._turns = 0, 1, 0
                self._loop.call_soon(self._look)
            self._accesses.append(access)
        access.visitors.append(visitor)
        self._knocks += 1

    @property
    def opening(self) -> "asyncio.Future[None]":
        """Done when those who wait have been let in. It is theirs together: who is cancelled meanwhile cancels it."""
        if self._opening is None:
            self._opening = self._loop.create_future()
        return self._opening

    def _look(self) -> None:
        """Open, unless others came since the last look: then more are on their way, as a rule."""
        come = self._knocks > self._seen
        if come and self._turns < MOST_TURNS and time.monotonic() < self._begun + HELD_SECONDS:
            self._seen = self._knocks
            self._turns += 1
            self._loop.call_soon(self._look)
            return
        accesses, self._accesses = self._accesses, []
        opening, self._opening = self._opening, None
        try:
            self._let_in(accesses)
        finally:
            if opening is not None and not opening.done():
                opening.set_result(None)

    def _let_in(self, accesses: list[Access]) -> None:
        now, rows = time.monotonic(), 0
        calls: list[Call] = []
        for access in accesses:
            visitors, access.visitors = access.visitors, []
            if not self._holds(access, now) or (standing := access.allowance.take_all(now, len(visitors))) is None:
                for visitor in visitors:
                    # Not from here: what goes wrong with one must not keep the others out.
                    self._loop.call_soon(visitor.go_alone)
                continue
            consumption, timed = access.consumption, access.timed
            for visitor in visitors:
                try:
                    batch, asked = access.read(visitor.head, visitor.body, self._max_rows)
                except Exception:  # noqa: BLE001 - the long way says what is wrong with it, and the others go on
                    visitor.go_the_long_way()
                    continue
                call = Call.of(consumption, batch, self._begun, visitor.reply, asked, standing, timed)
                visitor.call = call
                calls.append(call)
                rows += batch.rows
        if calls:
            lane = accesses[0].lane
            assert isinstance(lane, Lane)  # noqa: S101 - others have no door
            if refused := lane.submit_all(calls, rows):
                self._turn_away(refused)
