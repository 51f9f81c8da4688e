"""From what a model ran on and answered back to rows that people read, without what must not be stored."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json, to_json

from argosy.signature.compiled import CompiledSignature
from argosy.signature.spec import DType, Feature
from argosy.signature.tensors import layout

REDACTED = "[redacted]"
Tensors = Mapping[str, NDArray[Any]]


def inputs_json(signature: CompiledSignature, tensors: Tensors, rows: int, redact: frozenset[str]) -> str:
    """Return the rows of tensors as JSON, by feature; a redacted one has the same text in every row."""
    columns: dict[str, list[Any]] = {}
    for tensor, features in layout(signature.signature):
        whole = tensors[tensor.name] if signature.signature.batched else tensors[tensor.name][np.newaxis]
        for feature in features:
            if feature.name in redact:
                columns[feature.name] = [REDACTED] * rows
            else:
                columns[feature.name] = _column(feature, whole if feature.index is None else whole[:, feature.index])
    names = [feature.name for feature in signature.signature.inputs]
    listed = [dict(zip(names, row, strict=True)) for row in zip(*(columns[name] for name in names), strict=True)]
    return to_json(listed, inf_nan_mode="null").decode()


def outputs_json(signature: CompiledSignature, answer: bytes | Tensors, rows: int) -> str:
    """Return the predictions of an answer, or of a model's outputs, as JSON."""
    predictions = from_json(answer)["predictions"] if isinstance(answer, bytes) else signature.encode(answer, rows)
    return to_json(predictions, inf_nan_mode="null").decode()


def _column(feature: Feature, values: NDArray[Any]) -> list[Any]:
    if not feature.shape:
        values = values.reshape(len(values))
    if values.dtype.kind == "f" and feature.dtype.is_float:
        # By way of text, so that a number is shown as it was sent: 0.1, not 0.10000000149011612.
        values = values.astype(str).astype(np.float64)
    elif feature.dtype is DType.BOOL:
        values = values.astype(bool)
    elif feature.dtype.is_integer and values.dtype.kind == "f" and np.isfinite(values).all():
        values = values.astype(np.int64)
    listed: list[Any] = values.tolist()
    if feature.nullable and feature.missing is not None and not feature.shape:
        return [None if value == feature.missing else value for value in listed]
    return listed
