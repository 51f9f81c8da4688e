"""The Open Inference Protocol of one model, made ready: a request's body to a batch, its outputs to the answer's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic_core import to_json

from argosy.kit.errors import invalid
from argosy.serving.protocols.oip_codec import InferRequest, read, split
from argosy.serving.protocols.oip_tensors import DATATYPES, Array, is_id, texts, to_bytes
from argosy.serving.runtime import Outputs
from argosy.signature.compiled import CompiledSignature
from argosy.signature.quick import QuickInfer, QuickReader
from argosy.signature.tensors import Batch


@dataclass(frozen=True, slots=True)
class OutputForm:
    """One output: its tensor in the graph, its datatype, and how its description begins."""

    name: str
    tensor: str
    datatype: str
    start: bytes


class Texts:
    """The outputs of a whole batch as JSON, row by row."""

    def __init__(self, forms: Sequence[OutputForm], outputs: Outputs, rows: int) -> None:
        self._described: list[tuple[bytes, bytes, list[bytes]]] = []
        self._count = 0
        self._started: list[tuple[bytes, list[bytes]]] = []  # how the descriptions of that many rows begin
        for form in forms:
            array: Array = outputs[form.tensor]
            numbers = texts(array, form.datatype)[1:-1].split(b",")
            width = len(numbers) // rows
            if width > 1:
                numbers = [b",".join(numbers[at : at + width]) for at in range(0, len(numbers), width)]
            beyond = b"".join([b",%d" % size for size in array.shape[1:]])
            self._described.append((form.start, beyond, numbers))

    def part(self, start: int, stop: int) -> tuple[bytes, bytes]:
        """Return the description of the outputs of some rows; nothing follows it."""
        count = stop - start
        if count != self._count:
            self._count = count
            self._started = [(b'%b[%d%b],"data":[' % (one, count, more), rows) for one, more, rows in self._described]
        if count == 1:
            described = [before + rows[start] for before, rows in self._started]
        else:
            described = [before + b",".join(rows[start:stop]) for before, rows in self._started]
        return b"]},".join(described) + b"]}", b""

    def each(self) -> list[bytes]:
        """Return the description of the outputs of each row."""
        begun = [(b'%b[1%b],"data":[' % (one, more), rows) for one, more, rows in self._described]
        described = [[before + row for row in rows] for before, rows in begun]
        return [b"]},".join(one) + b"]}" for one in zip(*described, strict=True)]


class Raw:
    """The outputs of a whole batch as bytes."""

    def __init__(self, forms: Sequence[OutputForm], outputs: Outputs, rows: int) -> None:
        self._described: list[tuple[bytes, bytes, bytes, int]] = []
        for form in forms:
            array: Array = outputs[form.tensor]
            beyond = b"".join([b",%d" % size for size in array.shape[1:]])
            self._described.append((form.start, beyond, to_bytes(array, form.datatype), array.nbytes // rows))

    def part(self, start: int, stop: int) -> tuple[bytes, bytes]:
        """Return the description of the outputs of some rows, and their bytes."""
        rows = stop - start
        described = [
            b'%b[%d%b],"parameters":{"binary_data_size":%d}}' % (before, rows, beyond, rows * size)
            for before, beyond, _, size in self._described
        ]
        return b",".join(described), b"".join([raw[start * size : stop * size] for _, _, raw, size in self._described])


def _by_row(forms: Sequence[OutputForm], outputs: Outputs, rows: int) -> bool:
    """Tell whether the outputs are numbers by row."""
    arrays = [outputs[form.tensor] for form in forms]
    return all(array.dtype.kind in "iuf" and array.ndim and len(array) == rows and array.size for array in arrays)


@dataclass(slots=True)
class Wanted:
    """What one request wants of the outputs.

    `alike` is equal for requests that want the same outputs in the same form, which may be described together.
    """

    begun: bytes  # how the body of the answer begins, up to its outputs
    outputs: Sequence[OutputForm]
    binary: dict[str, bool] | bool
    alike: object | None = None

    def describe(self, outputs: Outputs, rows: int) -> Callable[[int, int], tuple[bytes, bytes]] | None:
        """Return what describes the outputs from one row of a batch to another, where all at once is quicker."""
        if not _by_row(self.outputs, outputs, rows):
            return None
        return (Raw if self.binary else Texts)(self.outputs, outputs, rows).part

    def each(self, outputs: Outputs, rows: int) -> list[bytes] | None:
        """Return the bodies of answers of a row each to requests that all want this; None where that is not quicker."""
        if self.binary is not False or not _by_row(self.outputs, outputs, rows):
            return None
        return [self.begun + described + b"]}" for described in Texts(self.outputs, outputs, rows).each()]

    def told(self, described: bytes) -> bytes:
        """Return the body of the answer around the description of its outputs."""
        return self.begun + described + b"]}"

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
        head = self.told(b",".join(described))
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
        self._alike = {binary: (id(self._outputs), binary) for binary in (False, True)}
        self._usual = {binary: self._wants(None, self._outputs, binary, alike) for binary, alike in self._alike.items()}
        self._quick = compiled.quick
        self._datatype = DATATYPES[compiled.signature.tensors[0].dtype]

    def read(self, body: bytes, header_length: str | None, max_rows: int) -> tuple[Batch, Wanted]:
        """Return the batch of a request, and what it wants; raises `InvalidInput`, or `Invalid` for an output."""
        if self._quick is not None and (plain := self._plain(self._quick, body, header_length, max_rows)) is not None:
            batch, known_as, as_bytes = plain
            if known_as is None:
                return batch, self._usual[as_bytes]
            return batch, self._wants(known_as, self._outputs, as_bytes, self._alike[as_bytes])
        request, tail = split(body, header_length)
        asked = read(request, tail)
        binary = asked.binary if asked.outputs is None else asked.outputs
        alike = self._alike[asked.binary] if asked.outputs is None else None
        wanted = self._wants(asked.id, self._wanted(asked), binary, alike)
        return self._compiled.check_tensors(asked.inputs, max_rows=max_rows), wanted

    def _plain(self, quick: QuickReader, body: bytes, header_length: str | None, max_rows: int) -> QuickInfer | None:
        if header_length is None:
            plain = quick.infer(body, self._datatype, max_rows)
        else:
            at = int(header_length) if header_length.isascii() and header_length.isdigit() else 0
            plain = quick.binary(body[:at], body[at:], self._datatype, max_rows) if 0 < at < len(body) else None
        return plain if plain is not None and is_id(plain[1]) else None

    def _wants(
        self, known_as: str | None, outputs: Sequence[OutputForm], binary: dict[str, bool] | bool, alike: object | None
    ) -> Wanted:
        shown = b"" if known_as is None else b',"id":' + to_json(known_as)
        return Wanted(b'{%b%b,"outputs":[' % (self._facts, shown), outputs, binary, alike)

    def _wanted(self, asked: InferRequest) -> list[OutputForm]:
        if asked.outputs is None:
            return self._outputs
        for index, name in enumerate(asked.outputs):
            if name not in self._by_name:
                raise invalid(["outputs", index, "name"], "The model has no such output")
        return [self._by_name[name] for name in asked.outputs]
