"""The original model: what kind it is, and what it answers."""

from typing import Any

import numpy as np
import pandas as pd

from argosy.conversion.errors import ConversionError, missing_extra
from argosy.conversion.evidence import Evidence, Kind
from argosy.conversion.frames import Sample, listed, values_of
from argosy.signature.spec import Scalar, Task

try:
    from sklearn import base
except ImportError as error:
    raise missing_extra("scikit-learn", "sklearn") from error


class Original:
    """A fitted estimator, asked for exactly what will be served."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - any estimator
        self.model = model
        self.task = _task(model)

    @property
    def classes(self) -> list[Scalar] | None:
        """The class names, in the order of the probabilities."""
        if self.task is not Task.CLASSIFICATION or isinstance(self.model.classes_, list):
            return None
        return [_scalar(label) for label in self.model.classes_]

    def answer(self, sample: Sample) -> dict[str, list[Any]]:
        """Return the model's outputs by name, one list each."""
        rows = sample.like(sample.frame)
        if self.task is Task.OTHER:
            method = "transform" if hasattr(self.model, "transform") else "predict"
            return {"transformed": listed(_dense(getattr(self.model, method)(rows)))}
        predicted = np.asarray(self.model.predict(rows))
        if self.task is Task.REGRESSION:
            return {"value": listed(predicted)}
        outputs = {"label": listed(predicted)}
        if self.task is Task.CLASSIFICATION and self.has_probabilities:
            outputs["probabilities"] = listed(self.model.predict_proba(rows))
        if self.task is Task.OUTLIER_DETECTION:
            outputs["score"] = listed(np.asarray(self.model.decision_function(rows)).reshape(-1))
        return outputs

    @property
    def has_probabilities(self) -> bool:
        """Whether the classifier says how likely its classes are."""
        try:
            return hasattr(self.model, "predict_proba") and self.classes is not None
        except AttributeError:
            return False

    def evidence(self, kind: Kind, sample: Sample) -> Evidence:
        """Return what the model answers to some rows."""
        inputs = {name: values_of(sample.frame[name]) for name in sample.names}
        return Evidence(kind=kind, inputs=inputs, outputs=self.answer(sample))

    def accepts(self, kind: Kind, sample: Sample) -> Evidence | None:
        """Return what the model answers, or None when it refuses such rows."""
        try:
            return self.evidence(kind, sample)
        except Exception:  # noqa: BLE001 - estimators refuse with every kind of exception
            return None


def _task(model: Any) -> Task:  # noqa: ANN401 - any estimator
    if not (hasattr(model, "predict") or hasattr(model, "transform")):
        raise ConversionError(
            "not-a-model",
            f"{type(model).__name__} neither predicts nor transforms new rows",
            "push a fitted estimator or pipeline",
        )
    if base.is_classifier(model):
        return Task.CLASSIFICATION
    if base.is_regressor(model):
        return Task.REGRESSION
    if base.is_outlier_detector(model):
        return Task.OUTLIER_DETECTION
    if base.is_clusterer(model) and hasattr(model, "predict"):
        return Task.CLUSTERING
    return Task.OTHER


def _scalar(label: Any) -> Scalar:  # noqa: ANN401 - an element of classes_
    value: Scalar = label.item() if isinstance(label, np.generic) else label
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _dense(values: Any) -> Any:  # noqa: ANN401 - an array, a frame or a sparse matrix
    if hasattr(values, "toarray"):
        return values.toarray()
    return values.to_numpy() if isinstance(values, pd.DataFrame) else values
