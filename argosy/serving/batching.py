"""Between protocols and runtimes: what is run together, on which thread, and for how long."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from argosy.serving.errors import ModelRejectedInput, PredictionTimedOut
from argosy.serving.runtime import OnnxRuntime, RunFailed, Tensors


class Batcher:
    """Runs each request as a batch of its own, on a few threads, within a time limit."""

    def __init__(self, threads: int, timeout: float) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argosy-model")
        self._timeout = timeout

    async def infer(self, runtime: OnnxRuntime, tensors: Tensors) -> dict[str, NDArray[np.generic]]:
        """Return the outputs of one request; raises `ModelRejectedInput` or `PredictionTimedOut`."""
        cancel = ort.RunOptions()
        running = asyncio.get_running_loop().run_in_executor(self._pool, runtime.run, tensors, cancel)
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.shield(running)
        except TimeoutError as error:
            raise PredictionTimedOut(f"the model took longer than {self._timeout:g} s") from error
        except RunFailed as error:
            raise ModelRejectedInput("the model cannot run on this input", runtime_error=str(error)) from error
        finally:
            # Also when the caller has gone: the thread is freed for others.
            if not running.done():
                cancel.terminate = True
                running.add_done_callback(_forget)

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _forget(running: asyncio.Future[dict[str, NDArray[np.generic]]]) -> None:
    if not running.cancelled():
        running.exception()
