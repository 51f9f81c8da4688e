"""Loading a version: in this process if it is known to be light, else in a process of its own."""

import ctypes
import sys
from contextlib import suppress
from pathlib import Path

import onnxruntime as ort

from argosy.serving.child import Plan
from argosy.serving.isolation import IsolatedRuntime
from argosy.serving.runtime import OnnxRuntime, Outputs, Runtime, Tensors, load
from argosy.serving.suspects import Mark, Suspects
from argosy.serving.target import Target
from argosy.settings import ServingSettings
from argosy.signature.sample import ROWS, sample_tensors
from argosy.signature.spec import Signature

LOAD_SECONDS = 120.0
# Seconds after which a run is stopped that nobody else stopped.
SPARE_SECONDS = 5.0
# What a process with nothing loaded weighs, and how much larger than its file a model is taken to be.
PROCESS_BYTES = 64 * 2**20
UNKNOWN_FACTOR = 4


class MarkedRuntime(OnnxRuntime):
    """A model in this process, noted while it runs."""

    mark: Mark = Mark(None, 0)

    def run(self, tensors: Tensors, rows: int, cancel: ort.RunOptions | None = None) -> Outputs:
        """Return every output by name."""
        with self.mark:
            return super().run(tensors, rows, cancel)


class Loader:
    """Loads versions; `folder` keeps the notes of what ran when a process died."""

    def __init__(self, settings: ServingSettings, folder: Path) -> None:
        self._settings = settings
        self._suspects = Suspects(folder)

    def is_isolated(self, target: Target) -> bool:
        """Tell whether a version runs in a process of its own."""
        facts = target.facts
        is_light = facts is not None and facts.is_light(self._settings.isolate_bytes)
        return not is_light or self._suspects.includes(target.onnx_digest)

    def weight(self, target: Target) -> int:
        """Return the bytes that a loaded version takes at most, as far as that is known."""
        known = target.facts.peak_bytes if target.facts is not None else None
        process = PROCESS_BYTES if self.is_isolated(target) else 0
        return (target.onnx_size * UNKNOWN_FACTOR if known is None else max(known, target.onnx_size)) + process

    def load(self, path: Path, target: Target, signature: Signature) -> Runtime:
        """Load and study a version, off the event loop; raises whatever keeps it from being loaded."""
        sample = sample_tensors(signature)
        if not self.is_isolated(target):
            return self._load_here(path, target, sample)
        settings = self._settings
        return IsolatedRuntime(
            Plan(
                path=path,
                digest=target.onnx_digest,
                repeats=target.facts is None or target.facts.repeats,
                sample=sample,
                sample_rows=ROWS,
                memory_bytes=settings.process_bytes,
                workers=settings.threads,
                load_seconds=LOAD_SECONDS,
                run_seconds=settings.timeout + SPARE_SECONDS,
            )
        )

    def _load_here(self, path: Path, target: Target, sample: Tensors | None) -> Runtime:
        mark = self._suspects.mark(target.onnx_digest)
        with mark:
            runtime = load(path, target.onnx_digest, repeats=False, kind=MarkedRuntime)
        runtime.mark = mark
        runtime.study(sample, ROWS)
        return runtime

    def close(self) -> None:
        """Note that the process ends well."""
        self._suspects.close()


def give_back() -> None:
    """Return freed memory to the system, which the C library keeps for later."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)
