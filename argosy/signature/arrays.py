"""Checked values to arrays: fast where every value is plainly right, through Pydantic where there is any doubt.

The quick way accepts a strict subset of what Pydantic accepts, and builds the same array; what it leaves in doubt is
decided, and told, by the feature's type alone.
"""

from collections.abc import Sequence
from itertools import chain
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from argosy.signature.schema import bounds, numpy_type
from argosy.signature.spec import DType, Feature

Array = NDArray[Any]
_CHUNK = 256
_NUMBERS = frozenset({float, int})
_KINDS: dict[DType, set[type]] = {DType.STRING: {str}, DType.BOOL: {bool}}


def validate(adapter: TypeAdapter[list[Any]], values: Sequence[Any], room: int) -> tuple[list[Any], list[Any], int]:
    """Return the values as Pydantic reads them, up to `room` errors, and the number of all errors.

    It goes by chunks, since Pydantic would otherwise describe every one of a million errors.
    """
    passed: list[Any] = []
    errors: list[ErrorDetails] = []
    count = 0
    for start in range(0, len(values), _CHUNK):
        try:
            passed += adapter.validate_python(list(values[start : start + _CHUNK]))
        except ValidationError as error:
            count += error.error_count()
            if len(errors) < room:
                found = error.errors(include_url=False, include_input=False)
                errors += [one | {"loc": (start + int(one["loc"][0]), *one["loc"][1:])} for one in found]
    return passed, errors[:room], count


class ScalarReader:
    """Turns one feature's values into an array of its tensor's type."""

    def __init__(self, feature: Feature, held_in: DType) -> None:
        self._nullable = feature.nullable
        self._is_text = feature.dtype is DType.STRING
        self._base = numpy_type(DType.FLOAT64 if feature.dtype.is_float else feature.dtype)
        self._type = numpy_type(held_in)
        self._filler = _filler(feature, held_in)
        self._kinds = _KINDS.get(feature.dtype) or ({int, float} if feature.dtype.is_float else {int})
        self._bounds = None if feature.dtype in _KINDS else bounds(feature, held_in)
        self._known = frozenset(feature.enum) if feature.enum is not None and not feature.open else None

    def read(self, values: Sequence[Any]) -> Array | None:
        """Return the array of raw values, or None when any of them is in doubt."""
        kinds = set(map(type, values))
        present = values
        if self._nullable and NoneType in kinds:
            kinds.discard(NoneType)
            present = [value for value in values if value is not None]
        if not kinds <= self._kinds or not (self._known is None or self._known.issuperset(present)):
            return None
        if self._is_text:
            return self.array(values) if _is_clean("".join(present)) else None
        try:
            numbers = np.array(present, dtype=self._base)
        except OverflowError:
            return None
        if self._bounds and not bool(((numbers >= self._bounds[0]) & (numbers <= self._bounds[1])).all()):
            return None
        return numbers.astype(self._type, copy=False) if present is values else self.array(values)

    def array(self, values: Sequence[Any]) -> Array:
        """Return the array of values that have passed, with nulls filled."""
        if self._nullable and None in values:
            filled = [self._filler if value is None else value for value in values]
            base = np.dtype(np.float64) if self._type.kind == "f" else self._base
            return np.array(filled, dtype=base).astype(self._type, copy=False)
        return np.array(values, dtype=self._base).astype(self._type, copy=False)


def _filler(feature: Feature, held_in: DType) -> str | float | None:
    if not feature.nullable:
        return None
    if held_in.is_float:
        return np.nan
    return feature.missing if feature.dtype is DType.STRING else int(feature.missing or 0)


def _is_clean(text: str) -> bool:
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


class NestedReader:
    """Turns nested lists into an array of exactly the feature's shape, as the validator of the feature's type."""

    def __init__(self, feature: Feature, scalar: ScalarReader, element: TypeAdapter[list[Any]]) -> None:
        self._shape = feature.shape
        self._scalar = scalar
        self._element = element

    def __call__(self, value: list[Any]) -> Array:
        """Return the array; raises `PydanticCustomError`, with the place of the first thing wrong in its context."""
        flat, dims = self._flatten(value)
        array = self._scalar.read(flat)
        if array is None:
            passed, errors, _ = validate(self._element, flat, room=1)
            if errors:
                at = _place(int(errors[0]["loc"][0]), dims)
                raise _nested_error(at, errors[0]["type"], errors[0]["msg"])
            array = self._scalar.array(passed)
        return array.reshape(dims)

    def _flatten(self, value: list[Any]) -> tuple[list[Any], list[int]]:
        level: list[Any] = [value]
        dims: list[int] = []
        for size in self._shape:
            if set(map(type, level)) - {list}:
                index = next(index for index, part in enumerate(level) if type(part) is not list)
                raise _nested_error(_place(index, dims), "list_type", f"Input should be a list: {self._expected()}")
            wanted = size if size is not None else len(level[0]) if level else 0
            if set(map(len, level)) - {wanted}:
                index = next(index for index, part in enumerate(level) if len(part) != wanted)
                message = f"Input should have {wanted} items, not {len(level[index])}: {self._expected()}"
                raise _nested_error(_place(index, dims), "array_shape", message)
            dims.append(wanted)
            level = list(chain.from_iterable(level))
        return level, dims

    def _expected(self) -> str:
        return f"the shape is {' x '.join('any' if size is None else str(size) for size in self._shape)}"


def _place(index: int, dims: list[int]) -> list[int]:
    return [int(part) for part in np.unravel_index(index, dims)] if dims else []


def _nested_error(at: list[int], kind: str, problem: str) -> PydanticCustomError:
    # What is wrong inside travels in the context: a custom error has neither a free type nor a place of its own.
    return PydanticCustomError("array", "{problem}", {"problem": problem, "kind": kind, "at": at})


class MatrixReader:
    """Reads plain float features that share a tensor as one block, which is many times faster than one by one."""

    def __init__(self, features: Sequence[Feature], held_in: DType) -> None:
        limits = [bounds(feature, held_in) for feature in features]
        self._low = np.array([[low] for low, _ in limits], dtype=np.float64)
        self._high = np.array([[high] for _, high in limits], dtype=np.float64)
        self._type = numpy_type(held_in)

    @staticmethod
    def suits(features: Sequence[Feature]) -> bool:
        """Tell whether the features are plain floats, each a column."""
        return all(
            feature.index is not None and feature.dtype.is_float and (feature.enum is None or feature.open)
            for feature in features
        )

    def read_rows(self, values: list[Any], rows: int) -> Array | None:
        """Return the tensor of raw values, row by row, or None when any of them is in doubt."""
        if not _NUMBERS.issuperset(map(type, values)):
            return None
        try:
            table = np.array(values, dtype=np.float64).reshape(rows, -1)
        except OverflowError:
            return None
        if not bool(((table >= self._low[:, 0]) & (table <= self._high[:, 0])).all()):
            return None
        return table.astype(self._type)

    def read_array(self, table: Array) -> Array | None:
        """Return the tensor of an array of rows, or None when any value is in doubt."""
        if table.dtype.kind not in "fiu":
            return None
        wide = table.astype(np.float64, copy=False)
        if not bool(((wide >= self._low[:, 0]) & (wide <= self._high[:, 0])).all()):
            return None
        return table.astype(self._type, order="C", copy=False)

    def read(self, columns: Sequence[Sequence[Any]]) -> Array | None:
        """Return the tensor of raw columns, or None when any value is in doubt."""
        flat = list(chain.from_iterable(columns))
        if not set(map(type, flat)) <= {float, int}:
            return None
        try:
            table = np.array(flat, dtype=np.float64).reshape(len(columns), -1)
        except OverflowError:
            return None
        if not bool(((table >= self._low) & (table <= self._high)).all()):
            return None
        return table.T.astype(self._type, order="C")
