"""The commonest bodies straight to the bytes of their tensor: decoded by types and packed, with no look at each value.

A strict subset of what is accepted is taken, and becomes the same bytes; for anything else, right or wrong, the answer
is None, and the readers that can say what is wrong decide. The decoder does not see a key that is given twice: since
the values are numbers, the colons of a body tell how many keys it has.

This is the seam for a native decoder: bytes in, `PackedRows` out.
"""

import struct
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from argosy.signature.arrays import MatrixReader
from argosy.signature.packing import FORMATS, PackedRows, Packing, occurs
from argosy.signature.schema import bounds, dtype_bounds
from argosy.signature.spec import Feature, Signature, Tensor
from argosy.signature.tensors import Batch, layout

_HAS_BULK = find_spec("simdjson") is not None
if TYPE_CHECKING or _HAS_BULK:
    from argosy.signature.bulk import LEAST_BYTES, BulkReader

_ABSENT = msgspec.UNSET
_DOUBTS = (msgspec.DecodeError, struct.error, OverflowError, ValueError)  # ValidationError is a DecodeError


class _Input(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class _Infer(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    inputs: list[_Input]
    id: str | msgspec.UnsetType = _ABSENT


class _Size(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    binary_data_size: int


class _Sized(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    name: str
    shape: list[int]
    datatype: str
    parameters: _Size


class _Outputs(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    binary_data_output: bool


class _BinaryInfer(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    inputs: list[_Sized]
    parameters: _Outputs | msgspec.UnsetType = _ABSENT
    id: str | msgspec.UnsetType = _ABSENT


# A request of the inference protocol in its commonest form, one input as flat numbers or as bytes: its batch, its id,
# and whether the outputs are wanted as bytes.
QuickInfer = tuple[Batch, str | None, bool]


class _Described(Protocol):
    """What an input says of itself."""

    @property
    def name(self) -> str: ...
    @property
    def datatype(self) -> str: ...
    @property
    def shape(self) -> list[int]: ...


class QuickReader:
    """Reads what is plainly right for a signature of plain floats in one tensor.

    The floats are features, in the order of its columns, or all of them one feature, a `vector`.
    """

    def __init__(self, packing: Packing, names: Sequence[str], *, vector: bool) -> None:
        self._packing = packing
        self._vector = vector
        self._bulk = BulkReader(packing, names, vector=vector) if _HAS_BULK else None
        self._colons = len(names) + sum(name.count(":") for name in names)
        self._body: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_body_type(names, vector=vector))
        self._infer = msgspec.json.Decoder(_Infer)
        self._binary_infer = msgspec.json.Decoder(_BinaryInfer)

    @classmethod
    def of(cls, signature: Signature) -> "QuickReader | None":
        """Return the reader, where the signature is of that kind."""
        parts = layout(signature)
        if len(parts) != 1 or not signature.batched:
            return None
        (tensor, features), *_ = parts
        length = _vector_length(tensor, features)
        plain = (
            tensor.dtype in FORMATS and (length or MatrixReader.suits(features)) and features == list(signature.inputs)
        )
        if not plain or any(bounds(one, tensor.dtype) != dtype_bounds(tensor.dtype) for one in features):
            return None
        packing = Packing(tensor.name, tensor.dtype, length or len(features))
        try:
            return cls(packing, [one.name for one in features], vector=length > 0)
        except ValueError:
            return None

    def read(self, body: bytes, max_rows: int) -> Batch | None:
        """Return the batch of a body of rows, columns or data, or None in doubt."""
        if self._bulk is not None and len(body) >= LEAST_BYTES and (content := self._bulk.read(body)) is not None:
            return self._batch(content, max_rows)
        try:
            request = self._body.decode(body)
            if (data := request.data) is not _ABSENT:
                rows, keys = len(data), 0
                if self._vector:
                    data = _only(data)
                content = self._packing.one(data[0]) if rows == 1 else self._packing.several(data)
            elif request.rows is not _ABSENT:
                named = request.rows
                rows, keys = len(named), len(named) * self._colons
                values = map(msgspec.structs.astuple, named)
                content = self._packing.several(_only(values) if self._vector else values)
            elif request.columns is not _ABSENT:
                columns = msgspec.structs.astuple(request.columns)
                rows, keys = len(columns[0]), self._colons
                content = self._packing.several(columns[0] if self._vector else zip(*columns, strict=True))
            else:
                return None
        except _DOUBTS:
            return None
        if content is None or not 0 < rows <= max_rows or not occurs(body, b":", keys + 1):
            return None
        return Batch(PackedRows(self._packing, content), rows)

    def infer(self, body: bytes, datatype: str, max_rows: int) -> QuickInfer | None:
        """Return the batch of a request of the inference protocol, and its id, or None in doubt."""
        if self._bulk is not None and len(body) >= LEAST_BYTES and (given := self._bulk.infer(body)) is not None:
            batch = self._whole(given, given.content, datatype, max_rows)
            return None if batch is None else (batch, given.id, False)
        try:
            request = self._infer.decode(body)
            (plain,) = request.inputs
            content = self._packing.flat(plain.data)
        except _DOUBTS:
            return None
        known_as = None if request.id is msgspec.UNSET else request.id
        batch = self._whole(plain, content, datatype, max_rows)
        if batch is None or body.count(b":") != 5 + (known_as is not None):
            return None
        return batch, known_as, False

    def binary(self, head: bytes, content: bytes, datatype: str, max_rows: int) -> QuickInfer | None:
        """Return the batch of a request whose input follows its JSON as bytes, or None in doubt."""
        try:
            request = self._binary_infer.decode(head)
            (given,) = request.inputs
        except _DOUBTS:
            return None
        known_as = None if request.id is msgspec.UNSET else request.id
        wanted = request.parameters if isinstance(request.parameters, _Outputs) else None
        batch = self._whole(given, content, datatype, max_rows)
        if batch is None or given.parameters.binary_data_size != len(content) or not self._packing.is_finite(content):
            return None
        if head.count(b":") != 6 + (known_as is not None) + (0 if wanted is None else 2):
            return None
        return batch, known_as, wanted is not None and wanted.binary_data_output

    def _whole(self, given: _Described, content: bytes | None, datatype: str, max_rows: int) -> Batch | None:
        if content is None or given.name != self._packing.name or given.datatype != datatype:
            return None
        batch = self._batch(content, max_rows)
        return batch if batch is not None and given.shape == [batch.rows, self._packing.width] else None

    def _batch(self, content: bytes, max_rows: int) -> Batch | None:
        rows, beyond = divmod(len(content), self._packing.size)
        return None if beyond or not 0 < rows <= max_rows else Batch(PackedRows(self._packing, content), rows)


def _vector_length(tensor: Tensor, features: Sequence[Feature]) -> int:
    """Return how many floats a row has, where they are one feature and all of the tensor; else 0."""
    first, *more = features
    plain = first.index is None and first.dtype.is_float and (first.enum is None or first.open) and not more
    if not plain or len(first.shape) != 1 or tensor.shape != [None, *first.shape]:
        return 0
    return first.shape[0] or 0


def _only(rows: Iterable[Sequence[Any]]) -> list[Any]:
    """Return the one value of each row; raises `ValueError`."""
    return [value for (value,) in rows]


def _body_type(names: Sequence[str], *, vector: bool) -> type[msgspec.Struct]:
    """Return the type of a body; raises `ValueError` for names that the decoder cannot have."""
    value: Any = list[float] if vector else float
    forms = {"data": list[list[value]], "rows": list[_record("Row", names, value)]}  # type: ignore[misc]
    forms["columns"] = _record("Columns", names, list[value])
    fields = [(name, kind | msgspec.UnsetType, _ABSENT) for name, kind in forms.items()]
    return msgspec.defstruct("Body", fields, gc=False, forbid_unknown_fields=True)


def _record(title: str, names: Sequence[str], kind: Any) -> Any:  # noqa: ANN401 - a type made at run time
    fields = {f"f{index}": name for index, name in enumerate(names)}
    typed = [(field, kind) for field in fields]
    return msgspec.defstruct(title, typed, rename=fields, gc=False, forbid_unknown_fields=True)
