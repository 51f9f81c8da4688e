"""Measures what a model takes, in children of the isolated process: the peak of a process never falls."""

import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from argosy.conversion import operators
from argosy.conversion.evidence import Evidence, number
from argosy.conversion.facts import BATCH_ROWS, Facts
from argosy.conversion.run import open_session
from argosy.signature.sample import ROWS, sample_tensors
from argosy.signature.spec import Signature
from argosy.signature.tensors import Array, TensorPacker

LOAD_SECONDS = 90.0
RUN_SECONDS = 10.0
MOST_ELEMENTS = 16_000_000
# Lengths tried where a size is free, of a batch and of one row; a model may take none but short ones.
BATCH_LENGTH = 64
LENGTHS = (4096, 512, BATCH_LENGTH)
MOST_TOLD = 4096
Given = dict[str, Array]
Measured = tuple[int, float]


def measure(content: bytes, signature: Signature, evidence: Sequence[Evidence]) -> Facts:
    """Return the facts of a model that was verified."""
    proto = onnx.load_from_string(content)
    facts = Facts(repeats=operators.repeats(proto), grows=operators.grows(proto))
    del proto
    # One that repeats might not end: it is run only on what it was verified with.
    few = _few(signature, evidence) if evidence or not facts.repeats else None
    trials = [] if facts.repeats else list(_trials(signature, few))
    found = _apart(lambda: _measured(content, few, trials), LOAD_SECONDS)
    return facts.model_copy(update=found or {})


def _measured(content: bytes, few: Given | None, trials: list[list[Given]]) -> dict[str, float | None]:
    before, started = _memory(), time.perf_counter()
    session = open_session(content)
    found: dict[str, float | None] = {"load_bytes": _peak() - before, "load_seconds": time.perf_counter() - started}
    if few is not None and (alone := _run(session, few)) is not None:
        found["run_bytes"], found["run_seconds"] = alone
    done = [_first(session, trial) for trial in trials]
    if trials and all(done):
        found["batch_bytes"] = max(one[0] for one in done if one)
        found["batch_seconds"] = max(one[1] for one in done if one)
    return found


def _few(signature: Signature, evidence: Sequence[Evidence]) -> Given | None:
    """Return a few rows of what the upload brought, else made from the signature."""
    first = evidence[0] if evidence else None
    if first is None:
        return sample_tensors(signature)
    columns = {
        feature.name: [number(value) for value in first.inputs[feature.name][:ROWS]] for feature in signature.inputs
    }
    if not signature.batched:
        columns = {name: values[:1] for name, values in columns.items()}
    with suppress(ValueError, TypeError, KeyError):
        return dict(TensorPacker(signature).pack(columns, min(ROWS, first.rows)).tensors)
    return sample_tensors(signature)


def _trials(signature: Signature, few: Given | None) -> Iterator[list[Given]]:
    """Yield what is run to see the most that a model takes; of each list, the first that runs."""
    if not signature.batched:
        if few is not None:
            yield [few]
        return
    made = [sample_tensors(signature, BATCH_ROWS, BATCH_LENGTH, MOST_ELEMENTS)]
    if few is not None:
        made.append({name: np.resize(values, (BATCH_ROWS, *values.shape[1:])) for name, values in few.items()})
    yield [tensors for tensors in made if tensors is not None]
    if any(None in feature.shape for feature in signature.inputs):
        long = [sample_tensors(signature, 1, length, MOST_ELEMENTS) for length in LENGTHS]
        yield [tensors for tensors in long if tensors is not None]


def _first(session: ort.InferenceSession, trial: list[Given]) -> Measured | None:
    return next((found for tensors in trial if (found := _run(session, tensors)) is not None), None)


def _run(session: ort.InferenceSession, tensors: Given) -> Measured | None:
    def work() -> dict[str, float | None]:
        before, started = _memory(), time.perf_counter()
        kept = session.run(None, tensors)
        seconds = time.perf_counter() - started
        del kept
        return {"bytes": _peak() - before, "seconds": seconds}

    found = _apart(work, RUN_SECONDS)
    return (int(found["bytes"] or 0), found["seconds"] or 0.0) if found else None


def _apart(work: Callable[[], dict[str, float | None]], seconds: float) -> dict[str, float | None] | None:
    """Return what work finds in a child, whose peak begins with what it has; None when it fails or takes too long."""
    _give_back()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], seconds)
    if not ready:
        os.kill(child, signal.SIGKILL)
    told = os.read(reading, MOST_TOLD) if ready else b""
    os.close(reading)
    os.waitpid(child, 0)
    found: dict[str, float | None] | None = json.loads(told) if told else None
    return found


def _give_back() -> None:
    # What is free already would be used again, and not be counted.
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)


def _memory() -> int:
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return _peak()  # as good as can be known without /proc: children begin with the peak at that moment


def _peak() -> int:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
