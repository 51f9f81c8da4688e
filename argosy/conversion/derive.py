"""The signature of a converted estimator: its columns, what was seen in them, and what comes out."""

from typing import Any

import numpy as np
import onnx
import pandas as pd

from argosy.conversion.errors import ConversionError
from argosy.conversion.frames import Sample, is_text, values_of
from argosy.conversion.originals import Original
from argosy.conversion.strategies import MATRIX
from argosy.conversion.tensors import tensor_of
from argosy.conversion.thresholds import steps_of
from argosy.signature.spec import DType, Feature, Output, Role, Scalar, Signature, Task

MAX_CATEGORIES = 200
FREE_TEXT_SHARE = 0.5
FREE_TEXT_ROWS = 20


def derive(original: Original, sample: Sample, proto: onnx.ModelProto, nullable: dict[str, bool]) -> Signature:
    """Return the signature, and drop the outputs it does not serve from the graph."""
    tensors = [tensor_of(value) for value in proto.graph.input]
    by_name = {tensor.name: tensor for tensor in tensors}
    categories = _categories(original.model, sample)
    features = []
    for position, name in enumerate(sample.names):
        tensor = by_name.get(MATRIX if MATRIX in by_name and len(tensors) == 1 else name)
        if tensor is None:
            raise ConversionError("conversion-unsupported", f"the ONNX model has no input for the column {name!r}")
        index = position if (len(tensor.shape) > 1 and tensor.shape[1] != 1) or tensor.name == MATRIX else None
        features.append(_feature(sample.frame[name], name, tensor.dtype, tensor.name, index, nullable, categories))
    outputs = _outputs(original, proto)
    served = {output.tensor for output in outputs}
    for value in [value for value in proto.graph.output if value.name not in served]:
        proto.graph.output.remove(value)
    return Signature(
        task=original.task,
        inputs=features,
        outputs=outputs,
        tensors=tensors,
        classes=original.classes,
    )


def _feature(
    column: "pd.Series[Any]",
    name: str,
    dtype: DType,
    tensor: str,
    index: int | None,
    nullable: dict[str, bool],
    categories: dict[str, list[Scalar]],
) -> Feature:
    may_miss = nullable.get(name, False) and (dtype.is_float or dtype is DType.STRING)
    present = [value for value in values_of(column) if value is not None]
    numbers = [float(value) for value in present if dtype.is_float or dtype.is_integer]
    return Feature(
        name=name,
        dtype=dtype,
        nullable=may_miss,
        missing="" if may_miss and dtype is DType.STRING else None,
        enum=categories.get(name),
        seen_minimum=min(numbers) if numbers else None,
        seen_maximum=max(numbers) if numbers else None,
        example=_example(present[0], dtype) if present else None,
        tensor=tensor,
        index=index,
    )


def _example(value: Any, dtype: DType) -> Any:  # noqa: ANN401 - an element of a column
    if dtype.is_float:
        return float(value)
    return int(value) if dtype.is_integer else value


def _categories(model: Any, sample: Sample) -> dict[str, list[Scalar]]:  # noqa: ANN401 - any estimator
    """Return the categories of columns: an encoder's where there is one, else what the sample shows."""
    found: dict[str, list[Scalar]] = {}
    for name in sample.names if sample.form != "text" else []:
        column = sample.frame[name]
        if not is_text(column):
            continue
        distinct = sorted({value for value in values_of(column) if value is not None})
        free_text = len(column) >= FREE_TEXT_ROWS and len(distinct) > FREE_TEXT_SHARE * len(column)
        if distinct and len(distinct) <= MAX_CATEGORIES and not free_text:
            found[name] = distinct
    found.update(_encoded(model, sample))
    return found


def _encoded(model: Any, sample: Sample) -> dict[str, list[Scalar]]:  # noqa: ANN401 - any estimator
    found: dict[str, list[Scalar]] = {}
    for step in steps_of(model)[:-1]:
        for _, transformer, columns in getattr(step, "transformers_", []):
            inner = steps_of(transformer) if transformer not in {"drop", "passthrough"} else []
            encoder = next((one for one in inner if hasattr(one, "categories_")), None)
            if encoder is None or isinstance(columns, slice):
                continue
            names = [columns] if isinstance(columns, str | int) else list(columns)
            for column, values in zip(names, encoder.categories_, strict=False):
                name = sample.names[column] if isinstance(column, int | np.integer) else str(column)
                known = [value.item() if isinstance(value, np.generic) else value for value in values]
                kept: list[Scalar] = [value for value in known if isinstance(value, str | int | bool)]
                if kept and len(kept) <= MAX_CATEGORIES * 10:
                    found[name] = kept
    return found


def _outputs(original: Original, proto: onnx.ModelProto) -> list[Output]:
    values = list(proto.graph.output)
    first = tensor_of(values[0])
    if original.task is Task.REGRESSION:
        return [_output("value", first, Role.VALUE, _width(first))]
    if original.task is Task.OTHER:
        return [_output("transformed", first, Role.TENSOR, first.shape[1:])]
    outputs = [
        _output(
            "label",
            first,
            Role.LABEL,
            [] if original.classes or original.task is not Task.CLASSIFICATION else _width(first),
        )
    ]
    if len(values) > 1:
        second = tensor_of(values[1])
        if original.task is Task.CLASSIFICATION and original.has_probabilities:
            outputs.append(_output("probabilities", second, Role.PROBABILITIES, [len(original.classes or [])]))
        if original.task is Task.OUTLIER_DETECTION:
            outputs.append(_output("score", second, Role.SCORE, []))
    return outputs


def _width(tensor: Any) -> list[int | None]:  # noqa: ANN401 - a Tensor
    return [tensor.shape[1]] if len(tensor.shape) > 1 and tensor.shape[1] != 1 else []


def _output(name: str, tensor: Any, role: Role, shape: list[int | None]) -> Output:  # noqa: ANN401 - a Tensor
    return Output(name=name, dtype=tensor.dtype, shape=shape, role=role, tensor=tensor.name)
