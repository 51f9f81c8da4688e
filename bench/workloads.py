"""The workloads: models with one number as their answer a row, inputs, and the answers scikit-learn gives.

A regressor, because its answer is the same everywhere: servers differ in whether they give a classifier's
probabilities, and that would be measured instead of the server.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import numpy.typing as npt
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor

Matrix = npt.NDArray[np.float64]
TRAINING_ROWS = 500
DECIMALS = 4
TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Workload:
    """A kind of model and of request; `inputs` different requests are sent, so that swapped answers are seen."""

    name: str
    title: str
    features: int = 30
    rows: int = 1
    trees: int = 0
    neurons: int = 0
    inputs: int = 16


WORKLOADS = (
    Workload("tiny", "linear, 1 row of 30 features"),
    Workload("medium", "random forest of 100, 1 row of 30 features", trees=100),
    Workload("large", "linear, 1,000 rows of 30 features", rows=1000, inputs=4),
    Workload("wide", "linear, 1 row of 12,000 features", features=12_000, inputs=4),
)


# What takes long enough that more can be sent than the server can take.
HEAVY = Workload("heavy", "network of two layers, 1 row of 30 features", neurons=5000)


@dataclass(frozen=True, slots=True)
class Case:
    """A workload made ready: the model in files, the inputs and the right answers."""

    workload: Workload
    folder: Path
    inputs: tuple[Matrix, ...]
    answers: tuple[Matrix, ...]

    @property
    def estimator(self) -> Path:
        """The model as joblib writes it."""
        return self.folder / "model.joblib"

    @property
    def onnx(self) -> Path:
        """The same model as ONNX, for float32 inputs."""
        return self.folder / "model.onnx"


class WrongAnswer(Exception):
    """A server answered something else than the model does."""


def prepare(workload: Workload, folder: Path) -> Case:
    """Train the workload's model and write it to a folder."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    data = random.normal(size=(TRAINING_ROWS, workload.features))
    target = data[:, :10].sum(axis=1) + data[:, 0] * data[:, 1]
    model = _model(workload)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is not how well it answers that is measured
        model.fit(data, target)
    shape = (workload.rows, workload.features)
    inputs = tuple(random.normal(size=shape).round(DECIMALS) for _ in range(workload.inputs))
    case = Case(workload, folder, inputs, tuple(model.predict(rows) for rows in inputs))
    joblib.dump(model, case.estimator)
    case.onnx.write_bytes(to_onnx(model, data[:1].astype(np.float32)).SerializeToString())
    return case


def _model(workload: Workload) -> RandomForestRegressor | MLPRegressor | LinearRegression:
    if workload.trees:
        return RandomForestRegressor(workload.trees, random_state=0)
    if workload.neurons:
        return MLPRegressor(hidden_layer_sizes=(workload.neurons, workload.neurons), max_iter=2, random_state=0)
    return LinearRegression()


def check(values: list[float], expected: Matrix) -> None:
    """Compare a server's values with the right ones; raises `WrongAnswer`."""
    if len(values) != len(expected):
        raise WrongAnswer(f"{len(values)} values instead of {len(expected)}")
    if not np.allclose(values, expected, rtol=TOLERANCE, atol=TOLERANCE):
        raise WrongAnswer(f"{values[:3]} instead of {expected[:3].tolist()}")
