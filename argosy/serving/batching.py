"""Adaptive batching: what waits for a model while it runs, or came in one turn of the event loop, runs together.

Nothing waits for a timer: at low load a request runs at once and alone. Models of a few microseconds run on the event
loop, where a change of threads would cost more than the run; the others run on threads.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass

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
    shapes: tuple[tuple[int, ...], ...] = ()
    waiter: asyncio.Future[Outputs] | None = None

    def __post_init__(self) -> None:
        self.shapes = tuple(array.shape[1:] for array in self.tensors.values())


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
        self._running = 0
        self._scheduled = False
        self._floor, self._slope = runtime.traits.floor, runtime.traits.slope

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self._queue and not self._running

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
        ticket = Ticket(tensors, rows, waiter=self._loop.create_future())
        assert ticket.waiter is not None  # noqa: S101 - just made
        self.submit(ticket)
        try:
            return await ticket.waiter
        except asyncio.CancelledError:
            self._forget(ticket)
            raise

    def _forget(self, ticket: Ticket) -> None:
        """Drop a request whose caller has gone, if it still waits."""
        with suppress(ValueError):
            self._queue.remove(ticket)
            self._waiting -= ticket.rows

    def _start(self) -> None:
        self._scheduled = False
        while self._queue and self._running < self._limits.workers:
            batch, rows = self._take()
            if not self._runtime.traits.loops and self._floor + rows * self._slope <= INLINE_SECONDS:
                self._run_here(batch, rows)
            else:
                self._run_there(batch, rows)

    def _take(self) -> tuple[list[Ticket], int]:
        """Take the next batch: requests of the same shapes, in order, up to the bound."""
        first = self._queue.popleft()
        batch, rows = [first], first.rows
        while self._runtime.traits.batches and self._queue:
            following = self._queue[0]
            if rows + following.rows > self._limits.rows or following.shapes != first.shapes:
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
        self._running += 1
        cancel = ort.RunOptions()
        running = self._loop.run_in_executor(self._executor, self._timed, batch, rows, cancel)
        overdue = self._loop.call_later(self._limits.timeout, self._time_out, batch, cancel)
        for ticket in batch:
            if ticket.waiter is not None:
                ticket.waiter.add_done_callback(lambda _: self._stop_if_alone(batch, cancel))

        def done(finished: asyncio.Future[tuple[Outputs, float]]) -> None:
            overdue.cancel()
            self._running -= 1
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

    def _stop_if_alone(self, batch: list[Ticket], cancel: ort.RunOptions) -> None:
        # Everybody has gone: the thread is freed for others.
        if all(ticket.waiter is not None and ticket.waiter.cancelled() for ticket in batch):
            cancel.terminate = True

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
        if ticket.waiter is not None and not ticket.waiter.done():
            if isinstance(result, Exception):
                ticket.waiter.set_exception(result)
            else:
                alone = len(batch) == 1
                ticket.waiter.set_result(
                    result if alone else {name: values[start:stop] for name, values in result.items()}
                )
        start = stop
