"""The Open Inference Protocol of one model, made ready: a request's body to a batch, its outputs to the answer's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from argosy.kit.errors import invalid
from argosy.serving.protocols.oip_codec import InferRequest, read, split
from argosy.serving.protocols.oip_tensors import DATATYPES, Array, is_id, texts, to_bytes
from argosy.serving.runtime import Outputs
from argosy.signature.compiled import CompiledSignature
from argosy.signature.tensors import Batch

PLAIN_MEMBERS = 4


@dataclass(frozen=True, slots=True)
class OutputForm:
    """One output: its tensor in the graph, its datatype, and how its description begins."""

    name: str
    tensor: str
    datatype: str
    start: bytes


@dataclass(slots=True)
class Wanted:
    """What one request wants of the outputs."""

    facts: bytes
    id: str | None
    outputs: Sequence[OutputForm]
    binary: dict[str, bool] | bool

    def body(self, outputs: Outputs) -> tuple[bytes, int | None]:
        """Return the body of the answer, and the length of its JSON part when any output was wanted in binary."""
        described: list[bytes] = []
        tails: list[bytes] = []
        for output in self.outputs:
            array: Array = outputs[output.tensor]
            shape = to_json(array.shape)
            if self.binary if isinstance(self.binary, bool) else self.binary[output.name]:
                tails.append(to_bytes(array, output.datatype))
                size = len(tails[-1])
                described.append(b'%b%b,"parameters":{"binary_data_size":%d}}' % (output.start, shape, size))
            else:
                described.append(b'%b%b,"data":%b}' % (output.start, shape, texts(array, output.datatype)))
        known_as = b"" if self.id is None else b',"id":' + to_json(self.id)
        head = b'{%b%b,"outputs":[%b]}' % (self.facts, known_as, b",".join(described))
        binary = self.binary if isinstance(self.binary, bool) else any(self.binary.values())
        return (b"".join([head, *tails]), len(head)) if binary else (head, None)


class InferForm:
    """Reads requests for one version of a model, shown by the name it was asked by."""

    def __init__(self, compiled: CompiledSignature, shown: str, version: int) -> None:
        self._compiled = compiled
        self._facts = b'"model_name":%b,"model_version":"%d"' % (to_json(shown), version)
        self._outputs = [
            OutputForm(
                output.name,
                output.tensor,
                DATATYPES[output.dtype],
                b'{"name":%b,"datatype":"%b","shape":' % (to_json(output.name), DATATYPES[output.dtype].encode()),
            )
            for output in compiled.signature.outputs
        ]
        self._by_name = {output.name: output for output in self._outputs}
        self._matrix = compiled.matrix
        self._width = len(compiled.signature.inputs)

    def read(self, body: bytes, header_length: str | None, max_rows: int) -> tuple[Batch, Wanted]:
        """Return the batch of a request, and what it wants; raises `InvalidInput`, or `Invalid` for an output."""
        request, tail = split(body, header_length)
        if not tail and (batch := self._plain(request, max_rows)) is not None:
            return batch, Wanted(self._facts, request.get("id"), self._outputs, binary=False)
        asked = read(request, tail)
        binary = asked.binary if asked.outputs is None else asked.outputs
        wanted = Wanted(self._facts, asked.id, self._wanted(asked), binary)
        return self._compiled.check_tensors(asked.inputs, max_rows=max_rows), wanted

    def _wanted(self, asked: InferRequest) -> list[OutputForm]:
        if asked.outputs is None:
            return self._outputs
        for index, name in enumerate(asked.outputs):
            if name not in self._by_name:
                raise invalid(["outputs", index, "name"], "The model has no such output")
        return [self._by_name[name] for name in asked.outputs]

    def _plain(self, request: Any, max_rows: int) -> Batch | None:  # noqa: ANN401 - any JSON
        """Read the commonest request at once: the model's one matrix, in its own type, as a flat list of numbers."""
        if self._matrix is None or type(request) is not dict or not _is_plain(request):
            return None
        inputs = request.get("inputs")
        if type(inputs) is not list or len(inputs) != 1:
            return None
        given = inputs[0]
        if type(given) is not dict or len(given) != PLAIN_MEMBERS or given.get("name") != self._matrix.name:
            return None
        shape, data = given.get("shape"), given.get("data")
        if given.get("datatype") != DATATYPES[self._matrix.dtype] or type(shape) is not list or type(data) is not list:
            return None
        rows, beyond = divmod(len(data), self._width)
        if beyond or not 0 < rows <= max_rows or shape != [rows, self._width] or {*map(type, shape)} != {int}:
            return None
        return self._compiled.read_matrix(data, rows)


def _is_plain(request: dict[str, Any]) -> bool:
    """Tell whether a request has its inputs and at most an id, a right one."""
    return len(request) == 1 or (len(request) == 2 and "id" in request and is_id(request["id"]))  # noqa: PLR2004
