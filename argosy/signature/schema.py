"""The Pydantic type of a feature and of a row: what a value must be, and how its JSON Schema reads.

JSON has one number type, so 3.0 is the integer 3 (and 3 the float 3.0), while 3.5 is no integer; a boolean is no
number, and a string never is one.
"""

import math
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, WithJsonSchema, create_model
from pydantic_core import PydanticCustomError

from argosy.signature.spec import DType, Feature, Scalar, Signature

SHOWN_CATEGORIES = 20
SHOWN_CATEGORY_LENGTH = 40
JSON_TYPES = {DType.BOOL: "boolean", DType.STRING: "string"}
Schema = dict[str, Any]
Bounds = tuple[float, float] | tuple[int, int]


def numpy_type(dtype: DType) -> np.dtype[Any]:
    """Return the element type of a tensor; strings are Python objects, as ONNX Runtime takes them."""
    return np.dtype(object) if dtype is DType.STRING else np.dtype(dtype.value)


def check_carrier(feature: Feature, held_in: DType) -> None:
    """Raise ValueError when a tensor of that type cannot hold the feature's values."""
    same_family = feature.dtype is held_in or (feature.dtype.is_float and held_in.is_float)
    is_whole = feature.dtype.is_integer or feature.dtype is DType.BOOL
    if not same_family and not (is_whole and (held_in.is_integer or held_in.is_float)):
        raise ValueError(f"feature {feature.name!r} is {feature.dtype}, which a tensor of {held_in} cannot carry")


def dtype_bounds(dtype: DType) -> Bounds:
    """Return the smallest and the largest finite number of a type."""
    if dtype.is_float:
        limit = float(np.finfo(dtype.value).max)
        return -limit, limit
    info = np.iinfo(dtype.value)
    return int(info.min), int(info.max)


def bounds(feature: Feature, held_in: DType) -> Bounds:
    """Return what a number must lie between: the range of both types, within the owner's limits."""
    low, high = (_tightest(feature.dtype, held_in, side) for side in (0, 1))
    minimum, maximum = enforced(feature, "minimum"), enforced(feature, "maximum")
    if feature.dtype.is_float:
        return max(low, low if minimum is None else minimum), min(high, high if maximum is None else maximum)
    floor = int(low) if minimum is None else max(int(low), math.ceil(minimum))
    ceiling = int(high) if maximum is None else min(int(high), math.floor(maximum))
    return floor, ceiling


def _tightest(dtype: DType, held_in: DType, side: int) -> float:
    return (max, min)[side](dtype_bounds(dtype)[side], dtype_bounds(held_in)[side])


def enforced(feature: Feature, limit: str) -> float | None:
    """Return `minimum` or `maximum` when it limits anything: infinity does not."""
    value: float | None = getattr(feature, limit)
    return value if value is not None and math.isfinite(value) else None


def scalar_type(feature: Feature, held_in: DType) -> Any:  # noqa: ANN401 - a type made at run time
    """Return the annotated type of one value (one element, when the feature has a shape)."""
    base: Any
    if feature.dtype is DType.STRING:
        base = Annotated[str, Strict(), AfterValidator(_clean_text)]
    elif feature.dtype is DType.BOOL:
        base = Annotated[bool, Strict()]
    elif feature.dtype.is_float:
        base = Annotated[float, Strict(), Field(allow_inf_nan=False), AfterValidator(_InRange(feature, held_in))]
    else:
        base = Annotated[int, Strict(), AfterValidator(_InRange(feature, held_in)), BeforeValidator(_integral)]
    if feature.enum is not None and not feature.open:
        base = Annotated[base, AfterValidator(_OneOf(feature.enum))]
    base = Annotated[base, WithJsonSchema(scalar_schema(feature), mode="validation")]
    return base | None if feature.nullable else base


def _integral(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _clean_text(value: str) -> str:
    # ONNX Runtime takes strings as C does: it would cut this one short in silence, and cannot encode the other.
    if "\x00" in value:
        raise PydanticCustomError("string_nul", "String must not hold the NUL character")
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise PydanticCustomError("string_unicode", "String must not hold a lone surrogate")
    return value


class _InRange:
    """Lets only numbers pass that the tensor can hold and the owner allows."""

    def __init__(self, feature: Feature, held_in: DType) -> None:
        self._type = feature.dtype if dtype_bounds(feature.dtype)[1] <= dtype_bounds(held_in)[1] else held_in
        self._range = tuple(_tightest(feature.dtype, held_in, side) for side in (0, 1))
        self._minimum, self._maximum = enforced(feature, "minimum"), enforced(feature, "maximum")

    def __call__(self, value: float) -> float:
        if not self._range[0] <= value <= self._range[1]:
            raise PydanticCustomError("number_range", "Input should be in the range of {type}", {"type": self._type})
        if self._minimum is not None and value < self._minimum:
            message = "Input should be greater than or equal to {ge}"
            raise PydanticCustomError("greater_than_equal", message, {"ge": f"{self._minimum:.15g}"})
        if self._maximum is not None and value > self._maximum:
            message = "Input should be less than or equal to {le}"
            raise PydanticCustomError("less_than_equal", message, {"le": f"{self._maximum:.15g}"})
        return value


class _OneOf:
    """Lets only known categories pass: one the model has not seen would be dropped silently."""

    def __init__(self, categories: list[Scalar]) -> None:
        self._known = frozenset(categories)
        shown = ", ".join(repr(category)[:SHOWN_CATEGORY_LENGTH] for category in categories[:SHOWN_CATEGORIES])
        more = f" and {len(categories) - SHOWN_CATEGORIES} more" if len(categories) > SHOWN_CATEGORIES else ""
        self._expected = shown + more

    def __call__(self, value: Scalar) -> Scalar:
        if value not in self._known:
            raise PydanticCustomError("enum", "Input should be one of {expected}", {"expected": self._expected})
        return value


def row_model(signature: Signature, types: dict[str, Any]) -> type[BaseModel]:
    """Return the model of one row, from the type of each feature by name."""
    # A feature may be called anything, also what is no Python name: the attribute is a position, the alias the name.
    fields: dict[str, Any] = {
        f"feature_{position}": (
            types[feature.name],
            Field(
                alias=feature.name,
                title=feature.name,
                description=feature.description,
                examples=None if feature.example is None or feature.open else [feature.example],
            ),
        )
        for position, feature in enumerate(signature.inputs)
    }
    return create_model("Row", __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=True), **fields)


def scalar_schema(feature: Feature) -> Schema:
    """Return the JSON Schema of one value; the range seen is documentation, the enforced one is `minimum`/`maximum`."""
    number = "number" if feature.dtype.is_float else "integer"
    schema: Schema = {"type": JSON_TYPES.get(feature.dtype, number)}
    if feature.dtype not in JSON_TYPES:
        schema["format"] = feature.dtype.value
    if feature.enum is not None:
        schema["examples" if feature.open else "enum"] = list(feature.enum)
    for name in ("minimum", "maximum"):
        if (limit := enforced(feature, name)) is not None:
            schema[name] = limit
        if getattr(feature, f"seen_{name}") is not None:
            schema[f"x-seen-{name}"] = getattr(feature, f"seen_{name}")
    return schema


def nested_schema(feature: Feature) -> Schema:
    """Return the JSON Schema of nested lists of the feature's shape."""
    schema = scalar_schema(feature)
    if feature.nullable:
        schema = {"anyOf": [schema, {"type": "null"}]}
    for size in reversed(feature.shape):
        limits = {} if size is None else {"minItems": size, "maxItems": size}
        schema = {"type": "array", "items": schema, **limits}
    return schema
