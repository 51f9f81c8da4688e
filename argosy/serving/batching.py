"""Adaptive batching: what waits for a model while it runs, or came in one turn of the event loop, runs together.

Nothing waits for a timer: at low load a request runs at once and alone. Models of a few microseconds run on the event
loop, where a change of threads would cost more than the run; the others run on threads.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np
import onnxruntime as ort

from argosy.serving.errors import ModelRejectedInput, Overloaded, PredictionTimedOut
from argosy.serving.runtime import OnnxRuntime, Outputs, RunFailed, Tensors

INLINE_SECONDS = 300e-6
SMOOTHING = 0.1


@dataclass(eq=False, slots=True)
class Ticket:
    """A request's place in the queue of a model."""

    tensors: Tensors
    rows: int
    gone: bool = field(default=False, init=False)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of a row's tensors: requests run together when they agree on them."""
        return [array.shape[1:] for array in self.tensors.values()]


@dataclass(eq=False, slots=True)
class Waiting(Ticket):
    """A request for the outputs as they are."""

    outputs: asyncio.Future[Outputs]


Settle = Callable[[Sequence[Ticket], Outputs | Exception], None]


@dataclass(frozen=True, slots=True)
class BatchingLimits:
    """Bounds of one model: rows run together, rows that wait, runs at once, and seconds a run may take."""

    rows: int
    queue_rows: int
    workers: int
    timeout: float


class Lane:
    """The queue of one loaded model, and its runs.

    `settle` is called, on the event loop, with the tickets of a batch and its outputs, or with those that failed and
    the error. An error of one request never reaches another's.
    """

    def __init__(self, runtime: OnnxRuntime, executor: Executor, limits: BatchingLimits, settle: Settle) -> None:
        self._runtime = runtime
        self._executor = executor
        self._limits = limits
        self._settle = settle
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Ticket] = deque()
        self._waiting = 0
        self._active: list[tuple[list[Ticket], ort.RunOptions]] = []
        self._scheduled = False
        self._floor, self._slope = runtime.traits.floor, runtime.traits.slope

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self._queue and not self._active

    def submit(self, ticket: Ticket) -> None:
        """Queue a request; raises `Overloaded` when too many rows wait already."""
        if self._waiting + ticket.rows > self._limits.queue_rows and self._waiting:
            raise Overloaded("too many requests wait for this model", retry_after=1)
        self._queue.append(ticket)
        self._waiting += ticket.rows
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._start)

    async def infer(self, tensors: Tensors, rows: int) -> Outputs:
        """Return the outputs of one request; raises `Overloaded`, `ModelRejectedInput` or `PredictionTimedOut`."""
        waiting = Waiting(tensors, rows, self._loop.create_future())
        self.submit(waiting)
        try:
            return await waiting.outputs
        except asyncio.CancelledError:
            self.abandon(waiting)
            raise

    def abandon(self, ticket: Ticket) -> None:
        """Note that nobody waits for a request any more: it is dropped, and a run that is for nobody is stopped."""
        ticket.gone = True
        if ticket in self._queue:
            self._queue.remove(ticket)
            self._waiting -= ticket.rows
        for batch, cancel in self._active:
            if all(one.gone for one in batch):
                cancel.terminate = True

    def _start(self) -> None:
        self._scheduled = False
        while self._queue and len(self._active) < self._limits.workers:
            batch, rows = self._take()
            if not self._runtime.traits.loops and self._floor + rows * self._slope <= INLINE_SECONDS:
                self._run_here(batch, rows)
            else:
                self._run_there(batch, rows)

    def _take(self) -> tuple[list[Ticket], int]:
        """Take the next batch: requests of the same shapes, in order, up to the bound."""
        first = self._queue.popleft()
        batch, rows, shapes = [first], first.rows, first.shapes
        while self._runtime.traits.batches and self._queue:
            following = self._queue[0]
            if rows + following.rows > self._limits.rows or following.shapes != shapes:
                break
            batch.append(self._queue.popleft())
            rows += following.rows
        self._waiting -= rows
        return batch, rows

    def _run_here(self, batch: list[Ticket], rows: int) -> None:
        started = time.perf_counter()
        try:
            outputs = self._runtime.run(_joined(batch), rows, ort.RunOptions())
        except RunFailed as error:
            self._failed(batch, error)
            return
        self._learn(rows, time.perf_counter() - started)
        self._settle(batch, outputs)

    def _run_there(self, batch: list[Ticket], rows: int) -> None:
        cancel = ort.RunOptions()
        active = (batch, cancel)
        self._active.append(active)
        running = self._loop.run_in_executor(self._executor, self._timed, batch, rows, cancel)
        overdue = self._loop.call_later(self._limits.timeout, self._time_out, batch, cancel)

        def done(finished: asyncio.Future[tuple[Outputs, float]]) -> None:
            overdue.cancel()
            self._active.remove(active)
            error = finished.exception()
            if cancel.terminate:
                pass  # they were told when the time was up, or have gone
            elif isinstance(error, Exception):
                self._failed(batch, error)
            elif error is None:
                outputs, seconds = finished.result()
                self._learn(rows, seconds)
                self._settle(batch, outputs)
            self._start()

        running.add_done_callback(done)

    def _timed(self, batch: list[Ticket], rows: int, cancel: ort.RunOptions) -> tuple[Outputs, float]:
        started = time.perf_counter()
        outputs = self._runtime.run(_joined(batch), rows, cancel)
        return outputs, time.perf_counter() - started

    def _time_out(self, batch: list[Ticket], cancel: ort.RunOptions) -> None:
        cancel.terminate = True
        self._settle(batch, PredictionTimedOut(f"the model took longer than {self._limits.timeout:g} s"))

    def _failed(self, batch: list[Ticket], error: Exception) -> None:
        if len(batch) > 1:
            for ticket in batch:
                self._run_there([ticket], ticket.rows)
        elif isinstance(error, RunFailed):
            self._settle(batch, ModelRejectedInput("the model cannot run on this input", runtime_error=str(error)))
        else:
            self._settle(batch, error)

    def _learn(self, rows: int, seconds: float) -> None:
        if rows <= 2:  # noqa: PLR2004 - a run pads one row to two
            self._floor += SMOOTHING * (seconds - self._floor)
        else:
            self._slope += SMOOTHING * (max(0.0, seconds - self._floor) / rows - self._slope)


def _joined(batch: Sequence[Ticket]) -> Tensors:
    if len(batch) == 1:
        return batch[0].tensors
    return {name: np.concatenate([ticket.tensors[name] for ticket in batch]) for name in batch[0].tensors}


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
