"""Columns of checked values to the tensors of the ONNX graph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argosy.signature.fields import numpy_type
from argosy.signature.spec import DType, Feature, Signature, Tensor

Column = Sequence[Any]
Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """What a model runs on: tensors by name, and how many rows they hold."""

    tensors: dict[str, Array]
    rows: int


class TensorPacker:
    """Packs columns into tensors, as a signature lays them out."""

    def __init__(self, signature: Signature) -> None:
        self._batched = signature.batched
        carried: dict[str, list[Feature]] = {tensor.name: [] for tensor in signature.tensors}
        for feature in signature.inputs:
            carried[feature.tensor].append(feature)
        self._layout = [
            (tensor, sorted(carried[tensor.name], key=lambda feature: feature.index or 0))
            for tensor in signature.tensors
        ]

    def pack(self, columns: Mapping[str, Column], rows: int) -> Batch:
        """Return the batch of columns that have passed validation."""
        return Batch({tensor.name: self._tensor(tensor, features, columns) for tensor, features in self._layout}, rows)

    def _tensor(self, tensor: Tensor, features: list[Feature], columns: Mapping[str, Column]) -> Array:
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
            return flat.reshape([1] * len(tensor.shape)) if tensor.shape else flat.reshape(())
        return flat.reshape(-1, *[1] * (len(tensor.shape) - 1))


def _filled(feature: Feature, column: Column) -> Column:
    if not feature.nullable:
        return column
    filler: Any = feature.missing if feature.dtype is DType.STRING else np.nan
    return [filler if value is None else value for value in column]
