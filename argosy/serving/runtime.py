"""Running a model with ONNX Runtime; knows tensors, nothing of HTTP, keys or queues."""

import hashlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

Tensors = Mapping[str, NDArray[np.generic]]
Outputs = dict[str, NDArray[np.generic]]


class RunFailed(Exception):
    """The model could not run on its input."""


@dataclass(frozen=True, slots=True)
class Traits:
    """How a model may be run.

    `batches`: rows of several requests may run together, each with exactly the answer it would have alone. `pads`: for
    that, one row must run as two, since kernels for one row round differently. `loops`: a run may take any time.
    `floor` and `slope`: seconds of a run, and of each row more.
    """

    batches: bool = False
    pads: bool = False
    loops: bool = True
    floor: float = 1.0
    slope: float = 1.0


class Runtime(Protocol):
    """A loaded model, wherever it runs.

    `uniform`: all rows have the same shapes, whatever is asked. `executor`: the threads on which its runs wait, where
    it has its own.
    """

    traits: Traits
    uniform: bool
    executor: Executor | None

    def run(self, tensors: Tensors, rows: int, cancel: ort.RunOptions | None = None) -> Outputs:
        """Return every output by name. `cancel.terminate = True`, from another thread, stops the run."""
        ...

    def close(self) -> None:
        """Let go of what it holds; it is not run any more."""
        ...


class OnnxRuntime:
    """A model that is loaded into this process; `repeats` where a run of it may take any time."""

    executor: Executor | None = None

    def __init__(self, content: bytes, *, repeats: bool = False) -> None:
        options = ort.SessionOptions()
        # One thread a run: requests run beside each other instead, and do not fight over the processors.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        # The arena keeps for good what the largest request took, and patterns are kept for each number of rows.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        self._session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.uniform = all(isinstance(size, int) for one in self._session.get_inputs() for size in one.shape[1:])
        self._repeats = repeats
        self.traits = Traits()

    def run(self, tensors: Tensors, rows: int, cancel: ort.RunOptions | None = None) -> Outputs:
        """Return every output by name. `cancel.terminate = True`, from another thread, stops the run."""
        feed = tensors if type(tensors) is dict else dict(tensors)
        padded = rows == 1 and self.traits.pads
        if padded:
            feed = {name: np.concatenate((values, values)) for name, values in feed.items()}
        try:
            values = self._session.run(self._outputs, feed, cancel)
        except Exception as error:
            # The runtime's messages can hold values of the input: the caller gets the kind of failure only.
            raise RunFailed(type(error).__name__) from error
        if padded:
            values = [value[:1] for value in values]
        return dict(zip(self._outputs, values, strict=True))

    def study(self, sample: Tensors | None, rows: int) -> None:
        """Find out how the model may be run, from rows that it should take; None where there are none."""
        if sample is None or self._repeats:
            self.traits = Traits(loops=self._repeats)
            return
        try:
            floor, slope = self._times(sample, rows)
            alone = self._parts(sample, rows, 1)
            pairs = {size: self._parts(sample, rows, size) for size in (2, 3, rows)}
        except RunFailed:
            self.traits = Traits(loops=False)
            return
        padded = self._parts(sample, rows, 1, repeat=2)
        together = [part for size in pairs if (part := pairs[size]) is not None]
        batches = len(together) == len(pairs)
        exact = batches and all(_same(alone, part) for part in together)
        pads = batches and not exact and all(_same(padded, part) for part in together)
        self.traits = Traits(batches=exact or pads, pads=pads, loops=False, floor=floor, slope=slope)

    def close(self) -> None:
        """Nothing to do: its memory goes with it."""

    def _parts(self, sample: Tensors, rows: int, size: int, repeat: int = 1) -> list[list[bytes]] | None:
        """Return the answer of each row, as bytes, when rows run by `size`; None when outputs are not by row."""
        answers: list[list[bytes]] = []
        for start in range(0, rows - rows % size, size):
            part = {name: np.repeat(values[start : start + size], repeat, axis=0) for name, values in sample.items()}
            outputs = self.run(part, size * repeat)
            if any(values.ndim == 0 or len(values) != size * repeat for values in outputs.values()):
                return None
            answers += [[_bytes(values[row * repeat]) for values in outputs.values()] for row in range(size)]
        return answers

    def _times(self, sample: Tensors, rows: int) -> tuple[float, float]:
        one = {name: values[:1] for name, values in sample.items()}
        self.run(one, 1)
        floor, whole = _seconds(lambda: self.run(one, 1)), _seconds(lambda: self.run(sample, rows))
        return floor, max(0.0, whole - floor) / rows


def _same(one: list[list[bytes]] | None, other: list[list[bytes]] | None) -> bool:
    # What does not divide evenly is left out at the end.
    return one is not None and other is not None and one[: len(other)] == other


def _bytes(value: NDArray[np.generic]) -> bytes:
    array = np.asarray(value)
    return repr(array.tolist()).encode() if array.dtype == object else array.tobytes()


def _seconds(run: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


R = TypeVar("R", bound=OnnxRuntime)


def load(path: Path, digest: str, *, repeats: bool, kind: type[R]) -> R:
    """Load a model from a file; raises `ValueError` when the file is not the one that was registered."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError("the artifact's SHA-256 is not the registered one")
    return kind(content, repeats=repeats)
