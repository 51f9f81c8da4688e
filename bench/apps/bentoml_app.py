"""The model as a BentoML service; `batched` as its documentation shows for adaptive batching."""

import os
from pathlib import Path

import bentoml
import numpy as np
import numpy.typing as npt

from bench.apps.models import Floats, load

mode, _, batched = os.environ["BENCH_MODE"].partition(", ")


@bentoml.service(workers=1, traffic={"timeout": 60}, logging={"access": {"enabled": False}})
class Model:
    """One endpoint."""

    def __init__(self) -> None:
        self.model = load(mode, Path(os.environ["BENCH_MODEL"]))

    @bentoml.api(batchable=bool(batched), max_batch_size=64)  # type: ignore[untyped-decorator]
    def predict(self, rows: npt.NDArray[np.float32]) -> Floats:
        """Run the model."""
        return self.model(rows)
