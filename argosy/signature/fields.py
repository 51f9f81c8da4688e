"""The Pydantic type of one feature: what a value must be, and how its JSON Schema reads."""

import math
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, Strict, WithJsonSchema
from pydantic_core import PydanticCustomError

from argosy.signature.spec import DType, Feature, Scalar

SHOWN_CATEGORIES = 20
JSON_TYPES = {DType.BOOL: "boolean", DType.STRING: "string"}


def numpy_type(dtype: DType) -> np.dtype[Any]:
    """Return the element type of a tensor; strings are Python objects, as ONNX Runtime takes them."""
    return np.dtype(object) if dtype is DType.STRING else np.dtype(dtype.value)


def field_type(feature: Feature) -> Any:  # noqa: ANN401 - a type made at run time
    """Return the annotated type of a feature's value in one row."""
    scalar = _scalar(feature)
    if not feature.shape:
        return scalar | None if feature.nullable else scalar
    return Annotated[
        list[Any], AfterValidator(_NestedArray(feature)), WithJsonSchema(_nested_schema(feature), mode="validation")
    ]


def _scalar(feature: Feature) -> Any:  # noqa: ANN401 - a type made at run time
    if feature.dtype is DType.STRING:
        base: Any = Annotated[str, Strict(), AfterValidator(_no_nul)]
    elif feature.dtype is DType.BOOL:
        base = Annotated[bool, Strict()]
    elif feature.dtype.is_float:
        low, high = _float_bounds(feature)
        base = Annotated[float, Strict(), Field(allow_inf_nan=False, ge=low, le=high)]
    else:
        bounds = np.iinfo(feature.dtype.value)
        low = max(int(bounds.min), math.ceil(feature.minimum if feature.minimum is not None else bounds.min))
        high = min(int(bounds.max), math.floor(feature.maximum if feature.maximum is not None else bounds.max))
        base = Annotated[int, Strict(), Field(ge=low, le=high), BeforeValidator(_integral)]
    if feature.enum is not None and not feature.open:
        base = Annotated[base, AfterValidator(_OneOf(feature.enum))]
    return Annotated[base, WithJsonSchema(scalar_schema(feature), mode="validation")]


def _float_bounds(feature: Feature) -> tuple[float, float]:
    limit = float(np.finfo(feature.dtype.value).max)
    low = -limit if feature.minimum is None else max(-limit, feature.minimum)
    high = limit if feature.maximum is None else min(limit, feature.maximum)
    return low, high


def _integral(value: object) -> object:
    # JSON has one number type: 3.0 is the integer 3, while 3.5 is none.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise PydanticCustomError("string_nul", "String must not hold the NUL character")
    return value


class _OneOf:
    """Lets only known categories pass: one the model has not seen would be dropped silently."""

    def __init__(self, categories: list[Scalar]) -> None:
        self._known = frozenset(categories)
        shown = ", ".join(repr(category) for category in categories[:SHOWN_CATEGORIES])
        more = f" and {len(categories) - SHOWN_CATEGORIES} more" if len(categories) > SHOWN_CATEGORIES else ""
        self._expected = shown + more

    def __call__(self, value: Scalar) -> Scalar:
        if value not in self._known:
            raise PydanticCustomError("enum", "Input should be one of {expected}", {"expected": self._expected})
        return value


class _NestedArray:
    """Turns nested lists into an array of exactly the feature's shape."""

    def __init__(self, feature: Feature) -> None:
        self._feature = feature
        self._shape = feature.shape

    def __call__(self, value: list[Any]) -> np.ndarray[Any, Any]:
        try:
            array = np.array(value, dtype=object)
        except ValueError:
            raise self._wrong_shape() from None
        if array.ndim != len(self._shape) or any(
            want is not None and have != want for have, want in zip(array.shape, self._shape, strict=True)
        ):
            raise self._wrong_shape()
        self._check_elements(array)
        typed = array.astype(numpy_type(self._feature.dtype))
        if self._feature.dtype.is_float and not np.isfinite(typed[~_is_none(array)].astype(float)).all():
            raise PydanticCustomError("finite_number", "Every element should be a finite number")
        return typed

    def _check_elements(self, array: np.ndarray[Any, Any]) -> None:
        allowed = _element_types(self._feature)
        for value in array.flat:
            if type(value) not in allowed or not _in_range(value, self._feature):
                expected = self._feature.dtype.value
                message = "Every element should be a {expected}"
                raise PydanticCustomError("element_type", message, {"expected": expected})

    def _wrong_shape(self) -> PydanticCustomError:
        shape = " x ".join("any" if size is None else str(size) for size in self._shape)
        return PydanticCustomError("array_shape", "Input should be nested lists of shape {shape}", {"shape": shape})


def _element_types(feature: Feature) -> set[type]:
    if feature.dtype is DType.STRING:
        return {str}
    if feature.dtype is DType.BOOL:
        return {bool}
    types: set[type] = {int, float} if feature.dtype.is_float else {int}
    return types | {type(None)} if feature.nullable else types


def _in_range(value: object, feature: Feature) -> bool:
    if feature.dtype.is_float:
        low, high = _float_bounds(feature)
        return value is None or (isinstance(value, int | float) and low <= value <= high)
    if feature.dtype.is_integer:
        bounds = np.iinfo(feature.dtype.value)
        return isinstance(value, int) and bounds.min <= value <= bounds.max
    return not (isinstance(value, str) and "\x00" in value)


def _is_none(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.array([value is None for value in array.flat], dtype=bool).reshape(array.shape)


def scalar_schema(feature: Feature) -> dict[str, Any]:
    """Return the JSON Schema of one value; the range seen is documentation, the enforced one is `minimum`/`maximum`."""
    number = "number" if feature.dtype.is_float else "integer"
    schema: dict[str, Any] = {"type": JSON_TYPES.get(feature.dtype, number)}
    if feature.dtype.value not in {"string", "bool"}:
        schema["format"] = feature.dtype.value
    if feature.enum is not None:
        schema["examples" if feature.open else "enum"] = list(feature.enum)
    for name in ("minimum", "maximum"):
        if getattr(feature, name) is not None:
            schema[name] = getattr(feature, name)
        if getattr(feature, f"seen_{name}") is not None:
            schema[f"x-seen-{name}"] = getattr(feature, f"seen_{name}")
    return schema


def _nested_schema(feature: Feature) -> dict[str, Any]:
    schema = scalar_schema(feature)
    if feature.nullable:
        schema = {"anyOf": [schema, {"type": "null"}]}
    for size in reversed(feature.shape):
        bounds = {} if size is None else {"minItems": size, "maxItems": size}
        schema = {"type": "array", "items": schema, **bounds}
    return schema
