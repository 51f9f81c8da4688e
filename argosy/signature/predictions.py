"""Outputs of the ONNX graph to named, typed predictions."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from argosy.signature.spec import Output, Role, Scalar, Signature

Prediction = dict[str, JsonValue]
Column = list[JsonValue]


class PredictionEncoder:
    """Encodes the outputs of one signature. NaN and infinity, which JSON lacks, become null."""

    def __init__(self, signature: Signature) -> None:
        self._batched = signature.batched
        self._classes = signature.classes or []
        self._names = [str(label) if not isinstance(label, bool) else str(label).lower() for label in self._classes]
        self._encoders = [(output, self._encoder(output)) for output in signature.outputs]

    def encode(self, outputs: Mapping[str, NDArray[Any]], rows: int) -> list[Prediction]:
        """Return one prediction a row; `outputs` are the graph's, by tensor name."""
        columns = [encode(self._by_row(outputs[output.tensor], rows)) for output, encode in self._encoders]
        keys = [key(output) for output, _ in self._encoders]
        return [dict(zip(keys, values, strict=True)) for values in zip(*columns, strict=True)]

    def _by_row(self, values: Any, rows: int) -> NDArray[Any]:  # noqa: ANN401 - an array, or a scalar of one
        array = np.asarray(values)
        return array.reshape(rows, *array.shape[1:]) if self._batched else array[np.newaxis]

    def _encoder(self, output: Output) -> Callable[[NDArray[Any]], Column]:
        if output.role is Role.LABEL:
            return self._labels
        if output.role is Role.PROBABILITIES:
            return self._probabilities
        if output.role in {Role.SCORE, Role.VALUE} and not is_vector(output):
            return lambda values: plain(values.reshape(len(values)))
        return plain

    def _labels(self, values: NDArray[Any]) -> Column:
        labels = plain(values.reshape(len(values), -1))
        typed: list[JsonValue] = [row[0] if isinstance(row, list) and len(row) == 1 else row for row in labels]
        if self._classes and all(isinstance(label, bool) for label in self._classes):
            return [bool(label) for label in typed]
        by_value: dict[Any, Scalar] = {label: label for label in self._classes}
        return [by_value.get(label, label) if isinstance(label, int | float | str) else label for label in typed]

    def _probabilities(self, values: NDArray[Any]) -> Column:
        table = values.reshape(len(values), -1)
        if table.shape[1] == 1 and len(self._names) == 2:  # noqa: PLR2004 - a binary model's single column is P(second class)
            table = np.hstack([1 - table, table])
        return [dict(zip(self._names, row, strict=True)) for row in _lists(plain(table))]


def _lists(column: Column) -> list[list[JsonValue]]:
    return [value if isinstance(value, list) else [value] for value in column]


def is_vector(output: Output) -> bool:
    """Tell whether an output has several numbers a row."""
    return bool(output.shape) and output.shape != [1]


def key(output: Output) -> str:
    """Return the name of an output in a prediction."""
    if output.role is Role.VALUE:
        return "values" if is_vector(output) else "value"
    return output.name


def plain(values: NDArray[Any]) -> Column:
    """Return an array as JSON values, one a row."""
    if values.dtype.kind != "f":
        return [_text(value) for value in values.tolist()]
    finite = np.isfinite(values)
    if finite.all():
        listed: Column = values.astype(float).tolist()
        return listed
    nullable = values.astype(object)
    nullable[~finite] = None
    return list(nullable.tolist())


def _text(value: Any) -> JsonValue:  # noqa: ANN401 - what tolist() gives
    if isinstance(value, list):
        return [_text(part) for part in value]
    return value.decode(errors="replace") if isinstance(value, bytes) else value
