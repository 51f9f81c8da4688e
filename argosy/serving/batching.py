"""Adaptive batching: what waits for a model while it runs, or came in one turn of the event loop, runs together.

Nothing waits for a timer, unless its owner wants it: at low load a request runs at once and alone. Runs of up to a
millisecond are made on the event loop, since a change of threads costs a good part of that; the others on threads.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from math import inf
from typing import TypeVar

import numpy as np
import onnxruntime as ort

from argosy.serving.errors import ModelRejectedInput, Overloaded, PredictionTimedOut
from argosy.serving.queue import FairQueue, Ticket
from argosy.serving.runtime import Outputs, RunFailed, Runtime, Tensors
from argosy.signature.packing import PackedRows

INLINE_SECONDS = 1e-3
SMOOTHING = 0.1
MEASURED = 8  # one run of so many on the event loop is timed: to ask how long it was busy is a call of the kernel
FEW = 32  # rows that may wait however long they take


@dataclass(eq=False, slots=True)
class Waiting(Ticket):
    """A request for the outputs as they are."""

    outputs: asyncio.Future[Outputs]


T = TypeVar("T", bound=Ticket)
Settle = Callable[[Sequence[Ticket], Outputs | Exception], None]


@dataclass(frozen=True, slots=True)
class BatchingLimits:
    """Bounds of one model: rows run together, rows and bytes that wait, runs at once, and seconds a run may take.

    `wait`: seconds that a request waits for others to run with. `queue_seconds`: how long what waits may take to run,
    by what runs have taken; unbounded where it is not given.
    """

    rows: int
    queue_rows: int
    queue_bytes: int
    workers: int
    timeout: float
    wait: float = 0.0
    queue_seconds: float = inf


class Lane:
    """The queue of one loaded model, and its runs.

    `settle` is called, on the event loop, with the tickets of a batch and its outputs, or with those that failed and
    the error; those that are `gone` are nobody's. An error of one request never reaches another's.
    """

    def __init__(self, runtime: Runtime, executor: Executor, limits: BatchingLimits, settle: Settle) -> None:
        self._runtime = runtime
        self._executor = runtime.executor or executor
        self.limits = limits
        self._settle = settle
        self._loop = asyncio.get_running_loop()
        self._queue = FairQueue()
        self.closed = False
        self.used = self._loop.time()  # when it was last asked
        self._active: list[tuple[Sequence[Ticket], ort.RunOptions]] = []
        self._start_is_due: asyncio.Handle | None = None
        self._floor, self._slope = runtime.traits.floor, runtime.traits.slope
        self._seconds_a_row = 0.0 if runtime.traits.loops else self._floor + self._slope
        self._most_waiting = limits.queue_rows
        self._runs = 0
        self._joins = runtime.uniform and runtime.traits.batches  # whatever its requests are

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self._queue and not self._active

    def close(self) -> Runtime:
        """Return the model, to be closed; the queue must be idle, and is not asked again."""
        self.closed = True
        runtime = self._runtime
        # Whoever knows this queue may do so for a while yet: the memory must not wait for that.
        del self._runtime
        return runtime

    def submit(self, ticket: Ticket, deadline: float | None = None) -> None:
        """Queue a request, to be answered by a time of the event loop's clock if one is given.

        Raises `Overloaded` when too much waits already.

        A full queue turns away the newest request of the caller of whom most waits, which may be this one.
        """
        if not self._take_in(ticket):
            raise Overloaded
        if deadline is not None:
            ticket.timer = self._loop.call_at(deadline, self._expire, ticket)

    def submit_all(self, tickets: list[T], rows: int) -> list[T]:
        """Run requests of so many rows together now, where nothing waits and a run is quick; else queue each.

        Returns those that find no room, which is for the caller to tell.
        """
        limits = self.limits
        if self._joins and not limits.wait and self.is_idle and rows <= limits.rows and self._is_quick(rows):
            self.used = self._loop.time()
            self._run_here(tickets, rows)
            return []
        return [ticket for ticket in tickets if not self._take_in(ticket)]

    def _take_in(self, ticket: Ticket) -> bool:
        """Queue a request, and have the queue looked at; or tell that there is no room."""
        queue = self._queue
        if not self._has_room(ticket) and not self._make_room(ticket):
            return False
        queue.append(ticket)
        if self._start_is_due is None:
            wait = self.limits.wait
            self._start_is_due = self._loop.call_later(wait, self._start) if wait else self._loop.call_soon(self._start)
        elif self.limits.wait and queue.rows >= self.limits.rows:
            self._start_is_due.cancel()
            self._start_is_due = self._loop.call_soon(self._start)
        return True

    def _has_room(self, ticket: Ticket) -> bool:
        queue = self._queue
        return queue.rows + ticket.rows <= self._most_waiting and queue.bytes + ticket.size <= self.limits.queue_bytes

    async def infer(self, tensors: Tensors, rows: int, caller: object, deadline: float | None = None) -> Outputs:
        """Return the outputs of one request; raises `Overloaded`, `ModelRejectedInput` or `PredictionTimedOut`."""
        waiting = Waiting(tensors, rows, caller, self._loop.create_future())
        self.submit(waiting, deadline)
        try:
            return await waiting.outputs
        except asyncio.CancelledError:
            self.abandon(waiting)
            raise

    def abandon(self, ticket: Ticket) -> None:
        """Note that nobody waits for a request any more: it is dropped, and a run that is for nobody is stopped."""
        ticket.gone = True
        if ticket.timer is not None:
            ticket.timer.cancel()
        if ticket in self._queue:
            self._queue.remove(ticket)
        for batch, cancel in self._active:
            if all(one.gone for one in batch):
                cancel.terminate = True

    def _expire(self, ticket: Ticket) -> None:
        self._settle([ticket], PredictionTimedOut("it was not answered in the time that the request gives"))
        self.abandon(ticket)

    def _finish(self, batch: Sequence[Ticket], result: Outputs | Exception) -> None:
        for ticket in batch:
            if ticket.timer is not None:
                ticket.timer.cancel()
        self._settle(batch, result)

    def _make_room(self, ticket: Ticket) -> bool:
        """Turn others away for a request, until it has room; tell whether it may have that.

        An empty queue has room for whatever comes.
        """
        queue = self._queue
        while queue and not self._has_room(ticket):
            greediest = queue.greediest()
            if queue.waiting(ticket.caller) + ticket.rows >= queue.waiting(greediest):
                return False
            dropped = queue.newest(greediest)
            queue.remove(dropped)
            self._finish([dropped], Overloaded())
        return True

    def _start(self) -> None:
        self._start_is_due = None
        self.used = self._loop.time()
        while self._queue and len(self._active) < self.limits.workers:
            batch, rows = self._take()
            if self._is_quick(rows):
                self._run_here(batch, rows)
            else:
                self._run_there(batch, rows)

    def _take(self) -> tuple[list[Ticket], int]:
        """Take the next batch: requests of the same shapes, in turn, up to the bound."""
        queue, most, uniform, together = (
            self._queue,
            self.limits.rows,
            self._runtime.uniform,
            self._runtime.traits.batches,
        )
        if uniform and together and (whole := queue.all_of_one(most)) is not None:
            return whole
        first = queue.pop()
        batch, rows, shapes = [first], first.rows, None if uniform else first.shapes
        while together and queue:
            following = queue.first()
            if rows + following.rows > most or not (uniform or following.shapes == shapes):
                break
            batch.append(queue.pop())
            rows += following.rows
        return batch, rows

    def _is_quick(self, rows: int) -> bool:
        return not self._runtime.traits.loops and self._floor + rows * self._slope <= INLINE_SECONDS

    def _run_here(self, batch: Sequence[Ticket], rows: int) -> None:
        self._runs += 1
        started = None if self._runs % MEASURED else time.thread_time()
        try:
            outputs = self._runtime.run(_joined(batch), rows)
        except RunFailed as error:
            self._failed(batch, error)
            return
        if started is not None:
            busy = time.thread_time() - started
            self._learn(rows, busy, busy)
        self._finish(batch, outputs)

    def _run_there(self, batch: Sequence[Ticket], rows: int) -> None:
        cancel = ort.RunOptions()
        active = (batch, cancel)
        self._active.append(active)
        running = self._loop.run_in_executor(self._executor, self._timed, batch, rows, cancel)
        overdue = self._loop.call_later(self.limits.timeout, self._time_out, batch, cancel)

        def done(finished: asyncio.Future[tuple[Outputs, float, float]]) -> None:
            overdue.cancel()
            self._active.remove(active)
            error = finished.exception()
            if cancel.terminate:
                pass  # they were told when the time was up, or have gone
            elif isinstance(error, Exception):
                self._failed(batch, error)
            elif error is None:
                outputs, busy, seconds = finished.result()
                self._learn(rows, busy, seconds)
                self._finish(batch, outputs)
            self._start()

        running.add_done_callback(done)

    def _timed(self, batch: Sequence[Ticket], rows: int, cancel: ort.RunOptions) -> tuple[Outputs, float, float]:
        started, begun = time.perf_counter(), time.thread_time()
        outputs = self._runtime.run(_joined(batch), rows, cancel)
        return outputs, time.thread_time() - begun, time.perf_counter() - started

    def _time_out(self, batch: Sequence[Ticket], cancel: ort.RunOptions) -> None:
        cancel.terminate = True
        self._finish(batch, PredictionTimedOut(f"the model took longer than {self.limits.timeout:g} s"))

    def _failed(self, batch: Sequence[Ticket], error: Exception) -> None:
        if len(batch) > 1:
            for ticket in batch:
                if not ticket.gone:
                    self._run_there([ticket], ticket.rows)
        elif isinstance(error, RunFailed):
            self._finish(batch, ModelRejectedInput("the model cannot run on this input", runtime_error=str(error)))
        else:
            self._finish(batch, error)

    def _learn(self, rows: int, busy: float, seconds: float) -> None:
        """Learn from a run: the seconds that it was busy for, and that it took.

        What a run would cost the event loop is the time that it is busy: another process that has the processor, or a
        thread that has the interpreter, says nothing about the model. What waits for it waits for all of it.
        """
        self._bound(seconds / rows)
        # One that takes longer now is believed step by step.
        busy = min(busy, 2 * (self._floor + rows * self._slope))
        if rows <= 2:  # noqa: PLR2004 - a run pads one row to two
            self._floor += SMOOTHING * (busy - self._floor)
        else:
            self._slope += SMOOTHING * (max(0.0, busy - self._floor) / rows - self._slope)

    def _bound(self, seconds_a_row: float) -> None:
        """Bound what waits by the time that it will take."""
        known = self._seconds_a_row
        self._seconds_a_row = known + SMOOTHING * (min(seconds_a_row, 2 * known) - known) if known else seconds_a_row
        limits = self.limits
        if self._seconds_a_row * limits.queue_rows <= limits.queue_seconds * limits.workers:
            self._most_waiting = limits.queue_rows
        else:
            rows = int(limits.queue_seconds * limits.workers / self._seconds_a_row)
            self._most_waiting = min(limits.queue_rows, max(FEW, rows))


def _joined(batch: Sequence[Ticket]) -> Tensors:
    first = batch[0].tensors
    if type(first) is PackedRows:
        contents = [tensors.content for ticket in batch if type(tensors := ticket.tensors) is PackedRows]
        if len(contents) == len(batch):
            return first.joined(contents)
    if len(batch) == 1:
        return first
    return {name: np.concatenate([ticket.tensors[name] for ticket in batch]) for name in first}


def hand_out(batch: Sequence[Ticket], result: Outputs | Exception) -> None:
    """Give each request that waits its part of the outputs, or the error."""
    start = 0
    for ticket in batch:
        stop = start + ticket.rows
        if isinstance(ticket, Waiting) and not ticket.outputs.done():
            if isinstance(result, Exception):
                ticket.outputs.set_exception(result)
            elif len(batch) == 1:
                ticket.outputs.set_result(result)
            else:
                ticket.outputs.set_result({name: values[start:stop] for name, values in result.items()})
        start = stop
