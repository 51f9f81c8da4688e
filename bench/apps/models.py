"""The model of a case as a function, in each server's own process: `sklearn` or `onnx`."""

from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import numpy.typing as npt
import onnxruntime

Floats = npt.NDArray[np.float32]


def load(mode: str, folder: Path) -> Callable[[Floats], Floats]:
    """Return a function from rows to values."""
    if mode == "sklearn":
        predict: Callable[[Floats], Floats] = joblib.load(folder / "model.joblib").predict
        return predict
    options = onnxruntime.SessionOptions()
    # Threads of one run would wait for each other on the processor that the load needs too.
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])

    def run(rows: Floats) -> Floats:
        values: Floats = session.run(None, {"X": np.asarray(rows, dtype=np.float32)})[0].ravel()
        return values

    return run
