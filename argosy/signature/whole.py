"""Whole tensors, as inference protocols carry them, to the batch a model runs on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from argosy.signature.arrays import Array, MatrixReader
from argosy.signature.refusal import Refusal, cut, refuse
from argosy.signature.schema import numpy_type
from argosy.signature.spec import Feature, Signature, Tensor
from argosy.signature.tensors import Batch, layout

ReadColumns = Callable[[Mapping[str, Sequence[Any] | Array], int | None], Batch]


class TensorReader:
    """Reads tensors of one signature; what is not plainly right is checked feature by feature."""

    def __init__(self, signature: Signature, read_columns: ReadColumns) -> None:
        self._batched = signature.batched
        self._features = {feature.name: feature for feature in signature.inputs}
        self._layout = {tensor.name: (tensor, features) for tensor, features in layout(signature)}
        self._read_columns = read_columns
        self._matrices = {
            tensor.name: MatrixReader(features, tensor.dtype)
            for tensor, features in self._layout.values()
            if self._batched and MatrixReader.suits(features)
        }

    def read(self, tensors: Mapping[str, Array], max_rows: int) -> Batch:
        """Return the batch; raises `InvalidInput`."""
        if tensors.keys() == self._layout.keys():
            return self._of_the_model(tensors, max_rows)
        if tensors.keys() == self._features.keys():
            columns = {name: self._column(self._features[name], array) for name, array in tensors.items()}
            return self._read_columns(columns, max_rows)
        raise self._wrong_names(tensors)

    def _of_the_model(self, tensors: Mapping[str, Array], max_rows: int) -> Batch:
        for name, array in tensors.items():
            _check(self._layout[name][0], array)
        counts = {len(array) for array in tensors.values()} if self._batched else {1}
        if len(self._matrices) == len(tensors) and len(counts) == 1 and 0 < max(counts) <= max_rows:
            ready = {name: self._matrices[name].read_array(array) for name, array in tensors.items()}
            whole = {name: array for name, array in ready.items() if array is not None}
            if len(whole) == len(ready):
                return Batch(whole, max(counts))
        columns: dict[str, Sequence[Any] | Array] = {}
        for name, array in tensors.items():
            for feature in self._layout[name][1]:
                columns[feature.name] = self._column(
                    feature, array if feature.index is None else array[:, feature.index]
                )
        return self._read_columns(columns, max_rows)

    def _column(self, feature: Feature, array: Array) -> Sequence[Any] | Array:
        if feature.shape:
            # A model without a batch takes the value whole.
            return list(array.tolist()) if self._batched else [array.tolist()]
        if array.ndim > 1 and array.size != len(array):
            raise refuse(["inputs", feature.name, "shape"], "Input should have one value a row", "array_shape")
        return array.reshape(-1)

    def _wrong_names(self, tensors: Mapping[str, Array]) -> Exception:
        refusal = Refusal()
        expected = self._features if self._features.keys() & tensors.keys() else self._layout
        for name in expected:
            if name not in tensors:
                refusal.add(["inputs", name], "Field required", "missing")
        for name in tensors:
            if name not in expected:
                refusal.add(["inputs", cut(name)], "Extra inputs are not permitted", "extra_forbidden")
        return refusal.error()


def _check(tensor: Tensor, array: Array) -> None:
    expected = numpy_type(tensor.dtype)
    if not np.can_cast(array.dtype, expected, "same_kind"):
        message = f"Input should be a tensor of {tensor.dtype}"
        raise refuse(["inputs", tensor.name, "datatype"], message, "datatype")
    fits = array.ndim == len(tensor.shape) and all(
        size is None or size == given for size, given in zip(tensor.shape, array.shape, strict=True)
    )
    if not fits:
        shown = ", ".join("any" if size is None else str(size) for size in tensor.shape)
        raise refuse(["inputs", tensor.name, "shape"], f"Input should have the shape [{shown}]", "array_shape")
