"""The answer to a prediction call, as rows, labels, probabilities or arrays."""

from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from argosy.client.results import Result
from argosy.signature.spec import Scalar


class Prediction(Result):
    """The answer to one prediction call, one prediction a row.

    >>> answer = client.predict("iris", frame)
    >>> answer.labels
    ['setosa', 'virginica']
    >>> answer.probabilities[0]["setosa"]
    0.98
    >>> answer.to_numpy().shape
    (2,)
    """

    id: UUID
    model: str
    version: int
    predictions: list[dict[str, JsonValue]]
    latency_ms: float | None = None
    request_id: str | None = None

    def __len__(self) -> int:
        return len(self.predictions)

    @property
    def labels(self) -> list[Scalar]:
        """The labels, of a classifier, a clusterer or an outlier detector."""
        return self.output("label")

    @property
    def probabilities(self) -> list[dict[str, float]]:
        """The probability of each class by name, of a classifier."""
        return self.output("probabilities")

    @property
    def scores(self) -> NDArray[np.float64]:
        """The scores of an outlier detector."""
        return np.array(self.output("score"), dtype=float)

    @property
    def values(self) -> NDArray[np.float64]:
        """The values of a regressor, of shape (rows,) or (rows, values)."""
        several = bool(self.predictions) and "values" in self.predictions[0]
        return np.array(self.output("values" if several else "value"), dtype=float)

    def output(self, name: str) -> list[Any]:
        """Return one output of every row by its name; raises `ValueError` when the model has none of that name."""
        missing = next((row for row in self.predictions if name not in row), None)
        if missing is not None:
            raise ValueError(f"{self.model} has no output {name!r}; it has {', '.join(map(repr, missing))}")
        return [row[name] for row in self.predictions]

    def probability_matrix(self) -> NDArray[np.float64]:
        """Return the probabilities of shape (rows, classes), in the order of the model's classes."""
        return np.array([list(row.values()) for row in self.probabilities], dtype=float)

    def to_numpy(self) -> NDArray[Any]:
        """Return what scikit-learn's `predict` does: the labels or values, or the only output of another model."""
        outputs = set(self.predictions[0]) if self.predictions else set()
        if "label" in outputs:
            return np.array(self.labels)
        if outputs & {"value", "values"}:
            return self.values
        if len(outputs) != 1:
            raise ValueError(f"{self.model} has several outputs; take one with output(name)")
        return np.array(self.output(outputs.pop()))
