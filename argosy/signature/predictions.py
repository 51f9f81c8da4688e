"""Outputs of the ONNX graph to named, typed predictions."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from pydantic_core import to_json

from argosy.signature.spec import Output, Role, Scalar, Signature, Task

Prediction = dict[str, JsonValue]
Column = list[JsonValue]
Array = NDArray[Any]
Wording = Callable[[Array], list[Sequence[bytes]]]
BINARY = 2


class PredictionEncoder:
    """Encodes the outputs of one signature. NaN and infinity, which JSON lacks, become null."""

    def __init__(self, signature: Signature) -> None:
        self._batched = signature.batched
        self._classes: dict[Scalar, Scalar] = {label: label for label in signature.classes or []}
        self._by_text = {str(label): label for label in self._classes} | {
            class_name(label): label for label in self._classes
        }
        self._names = [class_name(label) for label in signature.classes or []]
        self._keys = keys(signature)
        self._encoders = [(output, self._encoder(output)) for output in signature.outputs]
        self._template = self._row_template() if all(map(self._is_flat, signature.outputs)) else None
        self._wordings = [(output, output.tensor, self._wording(output, encode)) for output, encode in self._encoders]

    def encode(self, outputs: Mapping[str, Array], rows: int) -> list[Prediction]:
        """Return one prediction a row; `outputs` are the graph's, by tensor name."""
        columns = [encode(self._by_row(output, outputs[output.tensor], rows)) for output, encode in self._encoders]
        return [dict(zip(self._keys, values, strict=True)) for values in zip(*columns, strict=True)]

    def encode_json(self, outputs: Mapping[str, Array], rows: int) -> list[bytes]:
        """Return the JSON of one prediction a row; the same as of `encode`, at a fraction of the cost."""
        if self._template is None:
            return [to_json(prediction, inf_nan_mode="null") for prediction in self.encode(outputs, rows)]
        texts: list[Sequence[bytes]] = []
        for output, tensor, word in self._wordings:
            texts += word(self._by_row(output, outputs[tensor], rows))
        return list(map(self._template.__mod__, zip(*texts, strict=True)))

    def _wording(self, output: Output, encode: Callable[[Array], Column]) -> Wording:
        """Return what gives the JSON of an output, a sequence for each place that it has in a prediction."""
        if output.role is Role.LABEL:
            return lambda values: [[to_json(label) for label in encode(values)]]
        if output.role is Role.PROBABILITIES:
            return self._probability_texts
        return lambda values: [_numbers(values)]

    def _probability_texts(self, values: Array) -> list[Sequence[bytes]]:
        table = self._probability_table(values)
        numbers, width = _numbers(table), table.shape[1]
        return [numbers[column::width] for column in range(width)]

    def _is_flat(self, output: Output) -> bool:
        if output.role is Role.PROBABILITIES:
            return self._batched
        return self._batched and not is_vector(output) and output.role in {Role.LABEL, Role.SCORE, Role.VALUE}

    def _row_template(self) -> bytes:
        """Return the JSON of a prediction with a place for each value."""
        parts = []
        for key, (output, _) in zip(self._keys, self._encoders, strict=True):
            names = self._names if output.role is Role.PROBABILITIES else None
            inner = b"{" + b",".join([_escaped(name) + b":%b" for name in names]) + b"}" if names else b"%b"
            parts.append(_escaped(key) + b":" + inner)
        return b"{" + b",".join(parts) + b"}"

    def _by_row(self, output: Output, values: Any, rows: int) -> Array:  # noqa: ANN401 - an array, or a scalar of one
        array = np.asarray(values)
        if not self._batched:
            return array[np.newaxis]
        if array.ndim and len(array) == rows:
            return array
        if array.size != rows:
            raise ValueError(f"output {output.name!r} has the shape {array.shape}, which is not of {rows} rows")
        return array.reshape(rows, *array.shape[1:])

    def _encoder(self, output: Output) -> Callable[[Array], Column]:
        if output.role is Role.LABEL:
            return self._vectors_of_labels if is_vector(output) else self._labels
        if output.role is Role.PROBABILITIES:
            return self._probabilities
        if output.role in {Role.SCORE, Role.VALUE} and not is_vector(output):
            return lambda values: plain(values.reshape(len(values)))
        return plain

    def _labels(self, values: Array) -> Column:
        return [self._label(label) for label in plain(values.reshape(len(values)))]

    def _vectors_of_labels(self, values: Array) -> Column:
        return [[self._label(label) for label in _list(row)] for row in plain(values.reshape(len(values), -1))]

    def _label(self, label: JsonValue) -> JsonValue:
        # The graph's label is the class itself, never its position; only its type may have changed on the way: a
        # boolean comes as 0 or 1, a number may come as text.
        if not isinstance(label, int | float | str):
            return label
        found = self._classes.get(label)
        return found if found is not None else self._by_text.get(str(label), label)

    def _probabilities(self, values: Array) -> Column:
        return [dict(zip(self._names, _list(row), strict=True)) for row in plain(self._probability_table(values))]

    def _probability_table(self, values: Array) -> Array:
        table = values.reshape(len(values), -1)
        if table.shape[1] == 1 and len(self._names) == BINARY:
            # A binary model's single column is the probability of its second class.
            table = np.hstack([1 - table, table])
        if table.shape[1] != len(self._names):
            raise ValueError(f"the model answers {table.shape[1]} probabilities, and has {len(self._names)} classes")
        return table


def class_name(label: Scalar) -> str:
    """Return the name of a class among the probabilities: its text in JSON."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def is_vector(output: Output) -> bool:
    """Tell whether an output has several numbers a row."""
    return bool(output.shape) and output.shape != [1]


def keys(signature: Signature) -> list[str]:
    """Return the name of each output in a prediction: the task's own for the first of a role, else the output's."""
    named: dict[int, str] = {}
    for position, output in enumerate(signature.outputs):
        has_role = signature.task is not Task.OTHER and output.role is not Role.TENSOR
        if has_role and _role_key(output) not in named.values():
            named[position] = _role_key(output)
    for position, output in enumerate(signature.outputs):
        if position not in named:
            named[position] = _free(output.name, set(named.values()))
    return [named[position] for position in range(len(signature.outputs))]


def _role_key(output: Output) -> str:
    return "values" if output.role is Role.VALUE and is_vector(output) else output.role.value


def _free(name: str, taken: set[str]) -> str:
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def plain(values: Array) -> Column:
    """Return an array as JSON values, one a row."""
    if values.dtype.kind in "iubU":
        exact: Column = values.tolist()
        return exact
    if values.dtype.kind != "f":
        return [_text(value) for value in values.tolist()]
    if np.isfinite(values).all():
        listed: Column = values.tolist()
        return listed
    nullable = values.astype(object)
    nullable[~np.isfinite(values)] = None
    return list(nullable.tolist())


def _numbers(values: Array) -> list[bytes]:
    """Return the JSON of each number."""
    if values.dtype.kind not in "iuf":
        return [to_json(value) for value in plain(values.reshape(-1))]
    whole: bytes = to_json(values.reshape(-1).tolist(), inf_nan_mode="null")
    return whole[1:-1].split(b",")


def _escaped(name: str) -> bytes:
    return to_json(name).replace(b"%", b"%%")


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> JsonValue:  # noqa: ANN401 - what tolist() gives
    if isinstance(value, list):
        return [_text(part) for part in value]
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return None if isinstance(value, float) and not math.isfinite(value) else value
