"""Ways to convert an estimator, in the order they are tried; the options known to repair a family are always on."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pandas as pd

from argosy.conversion.errors import ConversionError, missing_extra
from argosy.conversion.exact import restore_thresholds
from argosy.conversion.frames import Sample, is_text
from argosy.conversion.thresholds import is_tree_model, splits_in_double, splits_of, steps_of

try:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import (
        BooleanTensorType,
        DoubleTensorType,
        FloatTensorType,
        Int64TensorType,
        StringTensorType,
    )
    from skl2onnx.sklapi import CastTransformer
    from sklearn.base import is_classifier
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import VotingClassifier
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.pipeline import FeatureUnion, Pipeline
except ImportError as error:
    raise missing_extra("skl2onnx", "sklearn") from error

from argosy.conversion import boosters

MATRIX = "X"
# The machine-learning operators of version 3 know float64 thresholds, and every converter writes them.
OPSETS = {"": 18, "ai.onnx.ml": 3}


@dataclass(frozen=True, slots=True)
class Strategy:
    """The element type of the ONNX model's numeric inputs."""

    single: bool

    @property
    def name(self) -> str:
        """What to call it in reports."""
        return "float32" if self.single else "float64"


def strategies(model: Any, sample: Sample) -> Iterator[Strategy]:  # noqa: ANN401 - any estimator
    """Yield the strategies for a model, the likeliest to agree first.

    Trees after a transformation need float64: scikit-learn scales in float64 and casts to float32 before the trees, and
    a scaled value that is off in the last digit takes another branch.
    """
    steps = steps_of(model)
    transformed = len(steps) > 1 and any(is_tree_model(step) for step in steps)
    first = Strategy(single=not transformed and not any(splits_in_double(step) for step in steps))
    yield first
    if not all(is_text(sample.frame[name]) for name in sample.names):
        yield Strategy(single=not first.single)


def to_onnx(model: Any, sample: Sample, strategy: Strategy) -> onnx.ModelProto:  # noqa: ANN401 - any estimator
    """Convert an estimator; raises `ConversionError`."""
    boosters.register(model)
    _refuse_missing_splits(model)
    prepared = _prepared(model, casts=not strategy.single)
    types = _initial_types(model, sample, strategy)
    try:
        converted = _convert(prepared, types)
    except ConversionError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise ConversionError(
            "conversion-unsupported",
            f"{type(steps_of(model)[-1]).__name__} cannot be converted to ONNX: {reason}",
            "use an estimator that converts (docs/conversion.md lists them), or export ONNX yourself and push that",
        ) from error
    if not strategy.single:
        restore_thresholds(converted, model)
    return converted


def _refuse_missing_splits(model: Any) -> None:  # noqa: ANN401 - any estimator
    for step in _nested(model):
        thresholds = [value for values in splits_of(step).values() for value in values]
        if not np.isfinite(thresholds).all():
            # A split between missing and present has an infinite threshold, on which the converter never ends.
            raise ConversionError(
                "unsupported-model",
                f"{type(step).__name__} was fitted with missing values and splits on them, which the converter drops",
                "impute them in the pipeline (SimpleImputer), or use HistGradientBoosting, XGBoost or LightGBM",
            )


def _convert(model: Any, types: list[tuple[str, Any]]) -> onnx.ModelProto:  # noqa: ANN401 - any estimator
    options = _options(model)
    try:
        converted: onnx.ModelProto = convert_sklearn(model, initial_types=types, options=options, target_opset=OPSETS)
    except NameError:
        # A few classifiers (LinearSVC) never answer with a ZipMap, and refuse to be told not to.
        options.pop(id(steps_of(model)[-1]), None)
        converted = convert_sklearn(model, initial_types=types, options=options, target_opset=OPSETS)
    return converted


def takes_columns(model: Any, sample: Sample) -> bool:  # noqa: ANN401 - any estimator
    """Tell whether the ONNX model gets one input a column, not one matrix."""
    kinds = {_kind(sample.frame[name]) for name in sample.names}
    return (
        sample.form == "text"
        or len(kinds - {"float", "int"}) > 0
        or any(isinstance(step, ColumnTransformer) for step in _nested(model))
    )


def _kind(column: "pd.Series[Any]") -> str:
    if is_text(column):
        return "text"
    if pd.api.types.is_bool_dtype(column):
        return "bool"
    return "int" if pd.api.types.is_integer_dtype(column) else "float"


def _initial_types(model: Any, sample: Sample, strategy: Strategy) -> list[tuple[str, Any]]:  # noqa: ANN401
    number = FloatTensorType if strategy.single else DoubleTensorType
    if not takes_columns(model, sample):
        return [(MATRIX, number([None, len(sample.names)]))]
    if sample.form == "text":
        return [(sample.names[0], StringTensorType([None]))]
    types = {"text": StringTensorType, "bool": BooleanTensorType, "int": Int64TensorType, "float": number}
    return [(name, types[_column_kind(model, sample, name)]([None, 1])) for name in sample.names]


def _column_kind(model: Any, sample: Sample, name: str) -> str:  # noqa: ANN401 - any estimator
    kind = _kind(sample.frame[name])
    # Numbers go in as floats, so that 3 and 3.5 are both welcome; only categories that are integers stay integers.
    return "float" if kind in {"int", "bool"} and name not in _category_columns(model) else kind


def _category_columns(model: Any) -> set[str]:  # noqa: ANN401 - any estimator
    return {
        str(name)
        for step in _nested(model)
        if isinstance(step, ColumnTransformer)
        for _, transformer, columns in step.transformers_
        if any(hasattr(inner, "categories_") for inner in steps_of(transformer))
        for name in (columns if isinstance(columns, list | tuple | np.ndarray | pd.Index) else [columns])
    }


def _options(model: Any) -> dict[int, dict[str, Any]]:  # noqa: ANN401 - any estimator
    options: dict[int, dict[str, Any]] = {}
    last = steps_of(model)[-1]
    if is_classifier(last):
        options[id(last)] = {"zipmap": False}
    for step in _nested(model):
        if isinstance(step, CountVectorizer):
            # The default locale of the normalizer is not on every machine.
            options[id(step)] = {"locale": "C"}
    return options


def _nested(model: Any) -> Iterator[Any]:  # noqa: ANN401 - any estimator
    yield model
    if isinstance(model, Pipeline):
        for _, step in model.steps:
            yield from _nested(step)
    elif isinstance(model, ColumnTransformer):
        for _, step, _ in model.transformers_:
            yield from _nested(step)
    elif isinstance(model, FeatureUnion):
        for _, step in model.transformer_list:
            yield from _nested(step)


def _prepared(model: Any, *, casts: bool) -> Any:  # noqa: ANN401 - any estimator
    """Return a copy with what the converter needs, none of which changes an answer.

    With `casts`, numbers become float32 before every tree model, as scikit-learn and XGBoost do inside.
    """
    if isinstance(model, Pipeline):
        steps = []
        for name, step in model.steps:
            if casts and is_tree_model(step) and not splits_in_double(step):
                steps.append((f"{name}_cast", CastTransformer(dtype=np.float32).fit(np.zeros((1, 1)))))
            steps.append((name, _prepared(step, casts=casts)))
        prepared = copy.copy(model)
        prepared.steps = steps
        return prepared
    if isinstance(model, VotingClassifier):
        prepared = copy.copy(model)
        prepared.flatten_transform = False  # only for transform(), which is not served
        return prepared
    return model
