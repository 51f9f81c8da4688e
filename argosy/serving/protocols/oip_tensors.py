"""Tensors of the Open Inference Protocol, whatever carries them: their datatypes, shapes and bytes.

A tensor is a datatype, a shape, and its elements in row-major order.
"""

import math
import re
import struct
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from argosy.signature.refusal import refuse
from argosy.signature.spec import DType

Array = NDArray[Any]
Place = list[str | int]
DATATYPES: dict[DType, str] = {
    DType.BOOL: "BOOL",
    DType.UINT8: "UINT8",
    DType.UINT16: "UINT16",
    DType.UINT32: "UINT32",
    DType.UINT64: "UINT64",
    DType.INT8: "INT8",
    DType.INT16: "INT16",
    DType.INT32: "INT32",
    DType.INT64: "INT64",
    DType.FLOAT16: "FP16",
    DType.FLOAT32: "FP32",
    DType.FLOAT64: "FP64",
    DType.STRING: "BYTES",
}
DTYPES = {name: np.dtype(object if dtype is DType.STRING else dtype.value) for dtype, name in DATATYPES.items()}
MOST_DIMENSIONS = 16
MOST_ELEMENTS = 2**40
_LENGTH = struct.Struct("<I")
_ID = re.compile(r"[\x20-\x7e]{0,256}")


def check_tensor(name: object, datatype: object, shape: object, where: Place) -> tuple[str, str, list[int]]:
    """Return a tensor's name, datatype and shape; raises `InvalidInput`."""
    if not isinstance(name, str) or not name:
        raise refuse([*where, "name"], "Input should be a name", "string_type")
    if not isinstance(datatype, str) or datatype not in DTYPES:
        raise refuse([*where, "datatype"], f"Input should be one of {', '.join(DTYPES)}", "enum")
    if not isinstance(shape, list) or len(shape) > MOST_DIMENSIONS or not all(map(is_size, shape)):
        raise refuse([*where, "shape"], "Input should be a list of sizes", "list_type")
    # Without the zeros: an array of no elements has strides too.
    if math.prod(size or 1 for size in shape) > MOST_ELEMENTS:
        raise refuse([*where, "shape"], "The shape has too many elements", "array_shape")
    return name, datatype, shape


def is_size(value: object) -> bool:
    """Tell whether a value may be a dimension, or a number of bytes."""
    return type(value) is int and 0 <= value <= MOST_ELEMENTS


def is_id(given: object) -> TypeGuard[str | None]:
    """Tell whether a value may be the id of a request."""
    return given is None or (isinstance(given, str) and _ID.fullmatch(given) is not None)


def check_id(given: object) -> str | None:
    """Return the id that a client gave its request; raises `InvalidInput`."""
    if not is_id(given):
        raise refuse(["id"], "Input should be a string of at most 256 printable characters", "string_type")
    return given


def text(value: object) -> str:
    """Return an element of a text output."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def texts(array: Array, datatype: str) -> bytes:
    """Return a tensor's elements as the protocol's JSON, flat."""
    flat = array.reshape(-1).tolist()
    return to_json([text(value) for value in flat] if datatype == "BYTES" else flat, inf_nan_mode="null")


def from_elements(data: list[Any], datatype: str, shape: Sequence[int], where: Place) -> Array:
    """Return the tensor of elements of the right Python type; raises `InvalidInput`."""
    count = math.prod(shape)
    if len(data) != count:
        raise refuse(where, f"The shape has {count} elements, and {len(data)} came", "array_shape")
    try:
        with np.errstate(over="ignore"):  # infinity is refused with the other values that do not fit
            return np.array(data, dtype=DTYPES[datatype]).reshape(shape)
    except OverflowError:
        raise refuse(where, f"An element is too large for {datatype}", "out_of_range") from None


def to_bytes(array: Array, datatype: str) -> bytes:
    """Return a tensor's elements as the protocol's bytes: little-endian, strings each after its length."""
    if datatype != "BYTES":
        return np.ascontiguousarray(array, dtype=DTYPES[datatype].newbyteorder("<")).tobytes()
    elements = [text(value).encode() for value in array.reshape(-1).tolist()]
    return b"".join([_LENGTH.pack(len(element)) + element for element in elements])


def from_bytes(raw: bytes, datatype: str, shape: Sequence[int], where: Place) -> Array:
    """Return the tensor of the protocol's bytes; raises `InvalidInput`."""
    count = math.prod(shape)
    if datatype == "BYTES":
        return _strings(raw, count, where).reshape(shape)
    dtype = DTYPES[datatype].newbyteorder("<")
    if len(raw) != count * dtype.itemsize:
        raise refuse(where, f"{count} elements of {datatype} take {count * dtype.itemsize} bytes", "binary_size")
    array = np.frombuffer(raw, np.uint8 if datatype == "BOOL" else dtype)
    if datatype == "BOOL" and array.size and array.max() > 1:
        raise refuse(where, "A boolean is a byte of 0 or 1", "bool_type")
    return array.astype(DTYPES[datatype]).reshape(shape)


def _strings(raw: bytes, count: int, where: Place) -> Array:
    values: list[str] = []
    at = 0
    try:
        while at < len(raw) and len(values) < count:
            (length,) = _LENGTH.unpack_from(raw, at)
            values.append(raw[at + 4 : at + 4 + length].decode())
            at += 4 + length
    except (struct.error, UnicodeDecodeError):
        raise refuse(where, "Each element should be its length and as much UTF-8", "string_unicode") from None
    if at != len(raw) or len(values) != count:
        raise refuse(where, f"The shape has {count} elements, which the bytes are not", "binary_size")
    array = np.empty(count, dtype=object)
    array[:] = values
    return array
