"""Columns of checked values to the tensors of the ONNX graph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argosy.signature.schema import numpy_type
from argosy.signature.spec import DType, Feature, Signature, Tensor

Array = NDArray[Any]
Column = Sequence[Any] | Array


@dataclass(slots=True)
class Batch:
    """What a model runs on: tensors by name, and how many rows they hold."""

    tensors: Mapping[str, Array]
    rows: int


class TensorPacker:
    """Packs columns into tensors, as a signature lays them out."""

    def __init__(self, signature: Signature) -> None:
        self._batched = signature.batched
        self.layout = layout(signature)

    def pack(self, columns: Mapping[str, Column], rows: int) -> Batch:
        """Return the batch of columns that have passed validation."""
        return Batch({tensor.name: self.tensor(tensor, features, columns) for tensor, features in self.layout}, rows)

    def tensor(self, tensor: Tensor, features: Sequence[Feature], columns: Mapping[str, Column]) -> Array:
        """Return one tensor of checked columns, given as lists or as arrays."""
        first = features[0]
        if first.index is not None:
            packed = np.empty((len(columns[first.name]), len(features)), dtype=numpy_type(tensor.dtype))
            for position, feature in enumerate(features):
                packed[:, position] = _filled(feature, columns[feature.name])
            return packed
        if first.shape:
            whole = np.stack([np.asarray(value) for value in columns[first.name]])
            return whole if self._batched else whole[0]
        flat = np.empty(len(columns[first.name]), dtype=numpy_type(tensor.dtype))
        flat[:] = _filled(first, columns[first.name])
        if not self._batched:
            return flat.reshape([1] * len(tensor.shape))
        return flat.reshape(-1, *[1] * (len(tensor.shape) - 1))


def layout(signature: Signature) -> list[tuple[Tensor, list[Feature]]]:
    """Return each tensor with the features it carries, in the order of its columns."""
    carried: dict[str, list[Feature]] = {tensor.name: [] for tensor in signature.tensors}
    for feature in signature.inputs:
        carried[feature.tensor].append(feature)
    return [(tensor, sorted(carried[tensor.name], key=lambda one: one.index or 0)) for tensor in signature.tensors]


def _filled(feature: Feature, column: Column) -> Column:
    if not feature.nullable or isinstance(column, np.ndarray):
        return column
    filler: Any = feature.missing if feature.dtype is DType.STRING else np.nan
    return [filler if value is None else value for value in column]
