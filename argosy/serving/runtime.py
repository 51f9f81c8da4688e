"""Running a model with ONNX Runtime; knows tensors, nothing of HTTP, keys or schemas."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

Tensors = Mapping[str, NDArray[np.generic]]


class RunFailed(Exception):
    """The model could not run on its input."""


class OnnxRuntime:
    """A loaded ONNX model."""

    def __init__(self, content: bytes) -> None:
        options = ort.SessionOptions()
        # One thread a run: requests run beside each other instead, and do not fight over the processors.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, tensors: Tensors, cancel: ort.RunOptions) -> dict[str, NDArray[np.generic]]:
        """Return every output by name. `cancel.terminate = True`, from another thread, stops the run."""
        try:
            values = self._session.run(self._outputs, dict(tensors), cancel)
        except Exception as error:
            # The runtime's messages can hold values of the input: the caller gets the kind of failure only.
            raise RunFailed(type(error).__name__) from error
        return dict(zip(self._outputs, values, strict=True))


def load(path: Path, digest: str) -> OnnxRuntime:
    """Load a model from a file; raises `ValueError` when the file is not the one that was registered."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError("the artifact's SHA-256 is not the registered one")
    return OnnxRuntime(content)
