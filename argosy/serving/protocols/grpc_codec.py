"""The messages of the Open Inference Protocol over gRPC, to tensors and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from argosy.serving.protocols.oip_plane import Found
from argosy.serving.protocols.oip_tensors import Array, Place, check_id, check_tensor, from_bytes, from_elements, text
from argosy.serving.protocols.oip_tensors import to_bytes as tensor_bytes
from argosy.serving.protocols.proto import inference_pb2 as pb
from argosy.signature.refusal import refuse

FIELDS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What a client asks: tensors by name, the outputs it wants (all when None), and whether it speaks in bytes."""

    id: str
    inputs: dict[str, Array]
    outputs: list[str] | None
    raw: bool


def decode(request: pb.ModelInferRequest) -> InferRequest:
    """Read a request; raises `InvalidInput`."""
    if not request.inputs:
        raise refuse(["inputs"], "Input should be a list of tensors", "list_type")
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        message = f"There are {len(request.inputs)} inputs and {len(raw)} raw contents; give one for each"
        raise refuse(["raw_input_contents"], message, "binary_size")
    inputs: dict[str, Array] = {}
    for index, tensor in enumerate(request.inputs):
        where: Place = ["inputs", index]
        name, datatype, shape = check_tensor(tensor.name, tensor.datatype, list(tensor.shape), where)
        if name in inputs:
            raise refuse([*where, "name"], "A tensor is given twice", "duplicate")
        if not raw:
            inputs[name] = _from_contents(tensor.contents, datatype, shape, [*where, "contents"])
        elif tensor.HasField("contents"):
            raise refuse([*where, "contents"], "A tensor is given raw or with contents, not both", "extra_forbidden")
        else:
            inputs[name] = from_bytes(raw[index], datatype, shape, ["raw_input_contents", index])
    wanted = dict.fromkeys(output.name for output in request.outputs)
    return InferRequest(check_id(request.id) or "", inputs, list(wanted) or None, bool(raw))


def encode(name: str, version: str, asked: InferRequest, outputs: Sequence[Found]) -> pb.ModelInferResponse:
    """Return the answer: in bytes when the request was, or when a datatype has no other form."""
    response = pb.ModelInferResponse(model_name=name, model_version=version, id=asked.id)
    raw = asked.raw or any(output.datatype not in FIELDS for output in outputs)
    for output in outputs:
        shown = response.outputs.add(name=output.name, datatype=output.datatype, shape=output.array.shape)
        if raw:
            response.raw_output_contents.append(tensor_bytes(output.array, output.datatype))
            continue
        elements: list[Any] = output.array.reshape(-1).tolist()
        if output.datatype == "BYTES":
            elements = [text(element).encode() for element in elements]
        getattr(shown.contents, FIELDS[output.datatype]).extend(elements)
    return response


def _from_contents(contents: pb.InferTensorContents, datatype: str, shape: list[int], where: Place) -> Array:
    field = FIELDS.get(datatype)
    if field is None:
        raise refuse(where, f"{datatype} is given in raw_input_contents only", "binary_size")
    other = next((given.name for given, _ in contents.ListFields() if given.name != field), None)
    if other is not None:
        raise refuse([*where, other], f"The elements of {datatype} go into {field}", "extra_forbidden")
    elements: list[Any] = list(getattr(contents, field))
    try:
        data = [element.decode() for element in elements] if datatype == "BYTES" else elements
    except UnicodeDecodeError:
        raise refuse([*where, field], "Each element should be UTF-8", "string_unicode") from None
    return from_elements(data, datatype, shape, [*where, field])
