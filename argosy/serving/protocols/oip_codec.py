"""The Open Inference Protocol's request and answer, in JSON and with the binary tensor extension, to tensors and back.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol and Triton's
`extension_binary_data.md`. A tensor is a datatype, a shape, and its elements in row-major order.
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import jiter
import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from argosy.signature.refusal import cut, refuse
from argosy.signature.spec import DType

Array = NDArray[Any]
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
BINARY_SIZE = "binary_data_size"
MOST_DIMENSIONS = 16
REQUEST_MEMBERS = frozenset({"id", "parameters", "inputs", "outputs"})
TENSOR_MEMBERS = frozenset({"name", "shape", "datatype", "parameters", "data"})
OUTPUT_MEMBERS = frozenset({"name", "parameters"})
_LENGTH = struct.Struct("<I")
_KINDS: dict[str, set[type]] = {"b": {bool}, "f": {int, float}, "i": {int}, "u": {int}, "O": {str}}
_ID = re.compile(r"[\x20-\x7e]{0,256}")


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What a client asks: tensors by name, and the outputs it wants, each with whether in binary; all when None."""

    id: str | None
    inputs: dict[str, Array]
    outputs: dict[str, bool] | None
    binary: bool


def split(body: bytes, header_length: str | None) -> tuple[Any, bytes]:
    """Return what the JSON of a request says, and the bytes after it; raises `InvalidInput`.

    `header_length` is the header `Inference-Header-Content-Length`.
    """
    head, tail = _split(body, header_length)
    try:
        return jiter.from_json(head, allow_inf_nan=True, catch_duplicate_keys=True), tail
    except ValueError as error:
        raise refuse(["body"], f"The body is not valid JSON: {str(error)[:200]}", "json_invalid", status=400) from None


def plain_id(request: dict[str, Any]) -> bool:
    """Tell whether a request has its inputs and at most an id, a right one."""
    return len(request) == 1 or (len(request) == 2 and "id" in request and _is_id(request["id"]))  # noqa: PLR2004


def read(request: Any, tail: bytes) -> InferRequest:  # noqa: ANN401 - any JSON
    """Read a request; raises `InvalidInput`."""
    if not isinstance(request, dict):
        raise refuse(["body"], "Input should be an object with inputs", "dict_type")
    _only([], request, REQUEST_MEMBERS)
    given = request.get("inputs")
    if not isinstance(given, list) or not given:
        raise refuse(["inputs"], "Input should be a list of tensors", "list_type")
    inputs: dict[str, Array] = {}
    offset = 0
    for index, tensor in enumerate(given):
        name, array, size = _tensor(index, tensor, tail, offset)
        if name in inputs:
            raise refuse(["inputs", index, "name"], "A tensor is given twice", "duplicate")
        inputs[name], offset = array, offset + size
    if offset != len(tail):
        raise refuse(["body"], f"The tensors take {offset} bytes after the JSON, and {len(tail)} came", "binary_size")
    parameters = _parameters(["parameters"], request)
    binary = parameters.get("binary_data_output") is True
    return InferRequest(_id(request), inputs, _outputs(request, binary=binary), binary)


def texts(array: Array, datatype: str) -> bytes:
    """Return a tensor's elements as the protocol's JSON, flat."""
    flat = array.reshape(-1).tolist()
    return to_json([_text(value) for value in flat] if datatype == "BYTES" else flat, inf_nan_mode="null")


def to_bytes(array: Array, datatype: str) -> bytes:
    """Return a tensor's elements as the protocol's bytes: little-endian, strings each after its length."""
    if datatype != "BYTES":
        return np.ascontiguousarray(array, dtype=DTYPES[datatype].newbyteorder("<")).tobytes()
    elements = [_text(value).encode() for value in array.reshape(-1).tolist()]
    return b"".join([_LENGTH.pack(len(element)) + element for element in elements])


def from_bytes(raw: bytes, datatype: str, shape: Sequence[int], where: list[str | int]) -> Array:
    """Return the tensor of the protocol's bytes; raises `InvalidInput`."""
    count = int(np.prod(shape, dtype=np.int64))
    if datatype == "BYTES":
        return _strings(raw, count, where).reshape(shape)
    dtype = DTYPES[datatype].newbyteorder("<")
    if len(raw) != count * dtype.itemsize:
        raise refuse(where, f"{count} elements of {datatype} take {count * dtype.itemsize} bytes", "binary_size")
    array = np.frombuffer(raw, np.uint8 if datatype == "BOOL" else dtype)
    if datatype == "BOOL" and array.size and array.max() > 1:
        raise refuse(where, "A boolean is a byte of 0 or 1", "bool_type")
    return array.astype(DTYPES[datatype]).reshape(shape)


def _split(body: bytes, header_length: str | None) -> tuple[bytes, bytes]:
    if header_length is None:
        return body, b""
    if not header_length.isascii() or not header_length.isdigit() or int(header_length[:12]) > len(body):
        message = "Inference-Header-Content-Length should be the length of the JSON before the tensors"
        raise refuse(["header", "Inference-Header-Content-Length"], message, "int_parsing", status=400)
    length = int(header_length)
    return body[:length], body[length:]


def _tensor(index: int, tensor: Any, tail: bytes, offset: int) -> tuple[str, Array, int]:  # noqa: ANN401 - any JSON
    where: list[str | int] = ["inputs", index]
    if not isinstance(tensor, dict):
        raise refuse(where, "Input should be an object with name, datatype, shape and data", "dict_type")
    _only(where, tensor, TENSOR_MEMBERS)
    name, datatype, shape = tensor.get("name"), tensor.get("datatype"), tensor.get("shape")
    if not isinstance(name, str) or not name:
        raise refuse([*where, "name"], "Input should be a name", "string_type")
    if not isinstance(datatype, str) or datatype not in DTYPES:
        raise refuse([*where, "datatype"], f"Input should be one of {', '.join(DTYPES)}", "enum")
    if not isinstance(shape, list) or len(shape) > MOST_DIMENSIONS or not all(map(_is_size, shape)):
        raise refuse([*where, "shape"], "Input should be a list of sizes", "list_type")
    size = _parameters([*where, "parameters"], tensor).get(BINARY_SIZE)
    if size is None:
        return name, _from_json(tensor.get("data"), datatype, shape, [*where, "data"]), 0
    if not _is_size(size) or size > len(tail) - offset:
        raise refuse([*where, "parameters", BINARY_SIZE], "Fewer bytes than that follow the JSON", "binary_size")
    if "data" in tensor:
        raise refuse([*where, "data"], "A tensor is given in JSON or in binary, not in both", "extra_forbidden")
    return name, from_bytes(tail[offset : offset + size], datatype, shape, [*where, "data"]), size


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**40


def _from_json(data: Any, datatype: str, shape: list[int], where: list[str | int]) -> Array:  # noqa: ANN401 - any JSON
    if not isinstance(data, list):
        raise refuse(where, "Input should be a list of elements", "list_type")
    # Elements may come flat or nested as the shape is.
    while data and all(type(part) is list for part in data):
        data = list(chain.from_iterable(data))
    dtype, count = DTYPES[datatype], int(np.prod(shape, dtype=np.int64))
    if len(data) != count:
        raise refuse(where, f"The shape has {count} elements, and {len(data)} came", "array_shape")
    if not _KINDS[dtype.kind].issuperset(map(type, data)):
        raise refuse(where, f"Every element should be a {datatype}", "element_type")
    try:
        with np.errstate(over="ignore"):  # infinity is refused with the other values that do not fit
            return np.array(data, dtype=dtype).reshape(shape)
    except OverflowError:
        raise refuse(where, f"An element is too large for {datatype}", "out_of_range") from None


def _strings(raw: bytes, count: int, where: list[str | int]) -> Array:
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


def _outputs(request: dict[str, Any], *, binary: bool) -> dict[str, bool] | None:
    given = request.get("outputs")
    if given is None or given == []:
        return None
    if not isinstance(given, list):
        raise refuse(["outputs"], "Input should be a list of outputs", "list_type")
    wanted: dict[str, bool] = {}
    for index, output in enumerate(given):
        if not isinstance(output, dict):
            raise refuse(["outputs", index], "Input should be an object with a name", "dict_type")
        _only(["outputs", index], output, OUTPUT_MEMBERS)
        name = output.get("name")
        if not isinstance(name, str):
            raise refuse(["outputs", index, "name"], "Input should be a name", "string_type")
        own = _parameters(["outputs", index, "parameters"], output).get("binary_data", binary)
        wanted[name] = own is True
    return wanted


def _only(where: list[str | int], given: dict[str, Any], known: frozenset[str]) -> None:
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        raise refuse([*where, cut(unknown)], "Extra inputs are not permitted", "extra_forbidden")


def _parameters(where: list[str | int], given: dict[str, Any]) -> dict[str, Any]:
    found = given.get("parameters")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise refuse(where, "Input should be an object", "dict_type")
    return found


def _id(request: dict[str, Any]) -> str | None:
    given: str | None = request.get("id")
    if not _is_id(given):
        raise refuse(["id"], "Input should be a string of at most 256 printable characters", "string_type")
    return given


def _is_id(given: object) -> bool:
    return given is None or (isinstance(given, str) and _ID.fullmatch(given) is not None)


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
