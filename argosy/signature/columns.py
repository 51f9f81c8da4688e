"""A table of raw values to the batch a model runs on: every value is checked, and packed where its tensor wants it."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter

from argosy.signature.arrays import Array, MatrixReader, NestedReader, ScalarReader, validate
from argosy.signature.parse import Table
from argosy.signature.refusal import Refusal
from argosy.signature.spec import Feature, Signature, Tensor
from argosy.signature.tensors import Batch, TensorPacker


class TableReader:
    """Reads tables of one signature. The types of the row model decide what passes."""

    def __init__(self, signature: Signature, row_model: type[BaseModel], scalars: Mapping[str, ScalarReader]) -> None:
        self._inputs = signature.inputs
        self._positions = {feature.name: position for position, feature in enumerate(signature.inputs)}
        self._scalars = scalars
        self._packer = TensorPacker(signature)
        fields = row_model.model_fields.values()
        self._adapters: list[TypeAdapter[list[Any]]] = [
            TypeAdapter(list[field.rebuild_annotation()])  # type: ignore[arg-type,misc]
            for field in fields
        ]
        self._matrices: dict[str, MatrixReader] = {
            tensor.name: MatrixReader(features, tensor.dtype)
            for tensor, features in self._packer.layout
            if MatrixReader.suits(features)
        }
        # Most models take one matrix of plain numbers in the order of its columns: a request by rows is that already.
        self._whole: tuple[str, MatrixReader] | None = None
        if len(self._packer.layout) == len(self._matrices) == 1:
            (tensor, features), *_ = self._packer.layout
            if features == list(signature.inputs):
                self._whole = (tensor.name, self._matrices[tensor.name])

    def read(self, table: Table) -> Batch:
        """Return the batch; raises `InvalidInput`."""
        if self._whole is not None and table.flat is not None:
            name, matrix = self._whole
            whole = matrix.read_rows(table.flat, table.rows)
            if whole is not None:
                return Batch({name: whole}, table.rows)
        columns = table.columns
        ready = {tensor.name: self._matrix(tensor, features, columns) for tensor, features in self._packer.layout}
        checked: dict[str, Sequence[Any] | Array] = {}
        refusal = Refusal()
        for position, feature in enumerate(self._inputs):
            if ready[feature.tensor] is None:
                checked[feature.name] = self._column(position, feature, columns[position], table, refusal)
        refusal.settle()
        tensors: dict[str, Array] = {}
        for tensor, features in self._packer.layout:
            packed = ready[tensor.name]
            tensors[tensor.name] = self._packer.tensor(tensor, features, checked) if packed is None else packed
        return Batch(tensors, table.rows)

    def _matrix(self, tensor: Tensor, features: Sequence[Feature], columns: Sequence[Sequence[Any]]) -> Array | None:
        matrix = self._matrices.get(tensor.name)
        if matrix is None:
            return None
        return matrix.read([columns[self._positions[feature.name]] for feature in features])

    def _column(
        self, position: int, feature: Feature, values: Sequence[Any], table: Table, refusal: Refusal
    ) -> Sequence[Any] | Array:
        if not feature.shape and (array := self._scalars[feature.name].read(values)) is not None:
            return array
        passed, errors, count = validate(self._adapters[position], values, refusal.room)
        for error in errors:
            row, *inner = error["loc"]
            context = error.get("ctx", {})
            place = [*table.locate(position, int(row)), *context.get("at", inner)]
            refusal.add(place, _told(error["msg"], feature, table), context.get("kind", error["type"]))
        refusal.count(count - len(errors))
        if count:
            return passed
        if feature.shape:
            _check_one_shape(position, feature, passed, table, refusal)
            return passed
        return self._scalars[feature.name].array(passed)


def nested(feature: Feature, scalar: ScalarReader, element: Any) -> NestedReader:  # noqa: ANN401 - a type
    """Return the validator of a feature that has a shape, from the type of its elements."""
    return NestedReader(feature, scalar, TypeAdapter(list[element]))


def _told(message: str, feature: Feature, table: Table) -> str:
    return message if table.named else f"{feature.name}: {message}"


def _check_one_shape(position: int, feature: Feature, arrays: Sequence[Array], table: Table, refusal: Refusal) -> None:
    # Each row may choose the free dimensions, but the rows of one tensor have to agree on them.
    first = arrays[0].shape
    shape = " x ".join(map(str, first))
    for row, array in enumerate(arrays):
        if array.shape != first:
            message = f"Rows of one request should have one shape, and the first has {shape}"
            refusal.add(table.locate(position, row), _told(message, feature, table), "array_shape")
