"""The client's side of the Open Inference Protocol: tensors to a request, an answer to outputs."""

from collections.abc import Mapping

import jiter
from pydantic_core import to_json

from argosy.serving.protocols.oip_tensors import DATATYPES, Array, from_bytes, from_elements, texts, to_bytes
from argosy.serving.runtime import Outputs, Tensors
from argosy.signature.errors import InvalidInput
from argosy.signature.spec import Signature

HEADER_LENGTH = "Inference-Header-Content-Length"


class UnreadableAnswer(Exception):
    """The answer is not the protocol's, or lacks an output."""


class OipClient:
    """Encodes and decodes the calls of one model."""

    def __init__(self, signature: Signature, *, binary: bool) -> None:
        self._binary = binary
        self._datatypes = {tensor.name: DATATYPES[tensor.dtype] for tensor in signature.tensors}
        self._outputs = {output.name: output.tensor for output in signature.outputs}

    def encode(self, tensors: Tensors) -> tuple[dict[str, str], bytes]:
        """Return a request's headers and body."""
        described: list[bytes] = []
        tails: list[bytes] = []
        for name, array in tensors.items():
            datatype = self._datatypes[name]
            start = b'{"name":%b,"datatype":"%b","shape":%b' % (to_json(name), datatype.encode(), to_json(array.shape))
            if self._binary:
                tails.append(to_bytes(array, datatype))
                described.append(b'%b,"parameters":{"binary_data_size":%d}}' % (start, len(tails[-1])))
            else:
                described.append(b'%b,"data":%b}' % (start, texts(array, datatype)))
        asked = b',"parameters":{"binary_data_output":true}' if self._binary else b""
        head = b'{"inputs":[%b]%b}' % (b",".join(described), asked)
        if not self._binary:
            return {"Content-Type": "application/json"}, head
        headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(head))}
        return headers, b"".join([head, *tails])

    def decode(self, headers: Mapping[str, str], body: bytes) -> Outputs:
        """Return the outputs by the graph's names; `headers` have lower-case names. Raises `UnreadableAnswer`."""
        try:
            return self._decode(headers.get(HEADER_LENGTH.lower()), body)
        except (ValueError, TypeError, KeyError, AttributeError, InvalidInput) as error:
            raise UnreadableAnswer(type(error).__name__) from error

    def _decode(self, header_length: str | None, body: bytes) -> Outputs:
        length = len(body) if header_length is None else int(header_length)
        answer = jiter.from_json(body[:length], allow_inf_nan=True)
        outputs: dict[str, Array] = {}
        offset = length
        for output in answer["outputs"]:
            name, datatype, shape = output["name"], output["datatype"], output["shape"]
            size = (output.get("parameters") or {}).get("binary_data_size")
            if size is None:
                data = [float("nan") if value is None else value for value in output["data"]]
                array = from_elements(data, datatype, shape, ["outputs", name])
            else:
                array = from_bytes(body[offset : offset + size], datatype, shape, ["outputs", name])
                offset += size
            # Another Argosy names outputs as the signature does, others as the graph does.
            outputs[self._outputs.get(name, name)] = array
        if missing := set(self._outputs.values()) - outputs.keys():
            raise KeyError(*missing)
        return outputs
