"""The Open Inference Protocol's request and answer, in JSON and with the binary tensor extension, to tensors and back.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol and Triton's
`extension_binary_data.md`. A tensor is a datatype, a shape, and its elements in row-major order.
"""

from dataclasses import dataclass
from itertools import chain
from typing import Any

import jiter

from argosy.serving.protocols.oip_tensors import (
    DTYPES,
    Array,
    Place,
    check_id,
    check_tensor,
    from_bytes,
    from_elements,
    is_size,
)
from argosy.signature.refusal import cut, refuse

BINARY_SIZE = "binary_data_size"
# KServe's client repeats the model, which the URL names.
REQUEST_MEMBERS = frozenset({"id", "parameters", "inputs", "outputs", "model_name", "model_version"})
TENSOR_MEMBERS = frozenset({"name", "shape", "datatype", "parameters", "data"})
OUTPUT_MEMBERS = frozenset({"name", "parameters"})
_KINDS: dict[str, set[type]] = {"b": {bool}, "f": {int, float}, "i": {int}, "u": {int}, "O": {str}}


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
    return InferRequest(check_id(request.get("id")), inputs, _outputs(request, binary=binary), binary)


def _split(body: bytes, header_length: str | None) -> tuple[bytes, bytes]:
    if header_length is None:
        return body, b""
    if not header_length.isascii() or not header_length.isdigit() or int(header_length[:12]) > len(body):
        message = "Inference-Header-Content-Length should be the length of the JSON before the tensors"
        raise refuse(["header", "Inference-Header-Content-Length"], message, "int_parsing", status=400)
    length = int(header_length)
    return body[:length], body[length:]


def _tensor(index: int, tensor: Any, tail: bytes, offset: int) -> tuple[str, Array, int]:  # noqa: ANN401 - any JSON
    where: Place = ["inputs", index]
    if not isinstance(tensor, dict):
        raise refuse(where, "Input should be an object with name, datatype, shape and data", "dict_type")
    _only(where, tensor, TENSOR_MEMBERS)
    name, datatype, shape = check_tensor(tensor.get("name"), tensor.get("datatype"), tensor.get("shape"), where)
    size = _parameters([*where, "parameters"], tensor).get(BINARY_SIZE)
    if size is None:
        return name, _from_json(tensor.get("data"), datatype, shape, [*where, "data"]), 0
    if not is_size(size) or size > len(tail) - offset:
        raise refuse([*where, "parameters", BINARY_SIZE], "Fewer bytes than that follow the JSON", "binary_size")
    if "data" in tensor:
        raise refuse([*where, "data"], "A tensor is given in JSON or in binary, not in both", "extra_forbidden")
    return name, from_bytes(tail[offset : offset + size], datatype, shape, [*where, "data"]), size


def _from_json(data: Any, datatype: str, shape: list[int], where: Place) -> Array:  # noqa: ANN401 - any JSON
    if not isinstance(data, list):
        raise refuse(where, "Input should be a list of elements", "list_type")
    # Elements may come flat or nested as the shape is.
    while data and all(type(part) is list for part in data):
        data = list(chain.from_iterable(data))
    if not _KINDS[DTYPES[datatype].kind].issuperset(map(type, data)):
        raise refuse(where, f"Every element should be a {datatype}", "element_type")
    return from_elements(data, datatype, shape, where)


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


def _only(where: Place, given: dict[str, Any], known: frozenset[str]) -> None:
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        raise refuse([*where, cut(unknown)], "Extra inputs are not permitted", "extra_forbidden")


def _parameters(where: Place, given: dict[str, Any]) -> dict[str, Any]:
    found = given.get("parameters")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise refuse(where, "Input should be an object", "dict_type")
    return found
