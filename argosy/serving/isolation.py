"""A model in a process of its own, behind the interface of one in this process.

What it does to its process (take all memory it may, never end, crash) is an error of the requests that ran, and the
process is started again: at once the first time, later and later while it goes on.
"""

import math
import threading
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from queue import LifoQueue

import onnxruntime as ort

from argosy.kit.logs import get_logger
from argosy.serving.child import Child, Died, NotLoaded, Plan
from argosy.serving.errors import ModelCrashed
from argosy.serving.runtime import Outputs, RunFailed, Tensors

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
log = get_logger(__name__)


class Backoff:
    """When a process that died may be started again."""

    def __init__(self) -> None:
        self._deaths = 0
        self._until = 0.0

    def died(self) -> None:
        """Count a death in a row; the first costs nothing."""
        self._deaths += 1
        if self._deaths > 1:
            self._until = time.monotonic() + min(LONGEST_DELAY, FIRST_DELAY * 2 ** (self._deaths - 2))

    def lived(self) -> None:
        """Forget them: a run ended well."""
        self._deaths = 0

    @property
    def remaining(self) -> float:
        """Seconds until it may be started."""
        return self._until - time.monotonic()


class IsolatedRuntime:
    """A loaded model in a process of its own; made, run and closed on threads, never on the event loop.

    Raises `NotLoaded` or `Died` when the process cannot load it.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._lock = threading.Lock()
        self._backoff = Backoff()
        self._slots: LifoQueue[int] = LifoQueue()
        for slot in range(plan.workers):
            self._slots.put(slot)
        self._child: Child | None = Child(plan)
        self.traits, self.uniform = self._child.traits, self._child.uniform
        # Threads of its own: they wait as long as its runs take.
        self.executor: Executor | None = ThreadPoolExecutor(plan.workers, "argosy-isolated")
        self._is_closed = False

    @property
    def pid(self) -> int | None:
        """The id of the process, while there is one."""
        return self._child.pid if self._child is not None else None

    def run(self, tensors: Tensors, rows: int, cancel: ort.RunOptions | None = None) -> Outputs:
        """Return every output by name; raises `RunFailed`, or `ModelCrashed` when the process ended."""
        slot = self._slots.get()
        try:
            return self._run(slot, tensors, rows, cancel)
        finally:
            self._slots.put(slot)

    def _run(self, slot: int, tensors: Tensors, rows: int, cancel: ort.RunOptions | None) -> Outputs:
        for attempt in range(2):
            if cancel is not None and cancel.terminate:
                raise RunFailed("cancelled")
            child = self._living()
            try:
                outputs = child.run(slot, tensors, rows, cancel)
            except Died as error:
                self._lost(child, error)
                # Another's run was stopped, and this one with it.
                if child.was_stopped and attempt == 0:
                    continue
                raise ModelCrashed("the process of the model ended while it ran", retry_after=1) from error
            self._backoff.lived()
            return outputs
        raise AssertionError

    def _living(self) -> Child:
        with self._lock:
            if self._child is not None:
                return self._child
            remaining = self._backoff.remaining
            if self._is_closed or remaining > 0:
                raise ModelCrashed(
                    "the process of the model ended; it is started again later",
                    retry_after=max(1, math.ceil(remaining)),
                )
            try:
                self._child = Child(self._plan)
            except (Died, NotLoaded, OSError) as error:
                self._backoff.died()
                raise ModelCrashed("the process of the model cannot be started again", retry_after=1) from error
            return self._child

    def _lost(self, child: Child, error: Died) -> None:
        with self._lock:
            if self._child is not child:
                return
            self._child = None
            if not child.was_stopped:
                self._backoff.died()
        log.warning("isolated_model_ended", digest=self._plan.digest, pid=child.pid, reason=str(error))

    def close(self) -> None:
        """End the process, and the runs that wait for it."""
        with self._lock:
            child, self._child, self._is_closed = self._child, None, True
        if child is not None:
            child.end()
        if self.executor is not None:
            self.executor.shutdown(wait=False, cancel_futures=True)
