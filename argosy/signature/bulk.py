"""Large bodies straight to the bytes of their tensor, by simdjson: no Python object is made of any number.

As in `argosy.signature.quick`, what is plainly right is taken, and the answer is None for anything else. A document of
simdjson shows a key that is given twice, and a flattened array hides how deep its numbers lay: there the brackets of
the whole body tell, since it has no other text that could hold one.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import simdjson

from argosy.signature.packing import Array, Packing, occurs

# From here on it costs less than the decoder that makes numbers.
LEAST_BYTES = 2048
# A parser keeps what its largest document took, about fourteen times as much: the largest bodies have their own.
_KEPT_BYTES = 2**20
_HEAD = 32
# A column is found by looking at those before it.
_MOST_COLUMNS = 128
_DOUBTS = (ValueError, TypeError, KeyError, RuntimeError)  # RuntimeError: another thread reads with the same parser
_KEYS = ["data", "datatype", "name", "shape"]
_shared = simdjson.Parser()


class FlatInput(NamedTuple):
    """The one input of a request of the inference protocol, and the request's id."""

    name: str
    datatype: str
    shape: list[int]
    content: bytes
    id: str | None


class BulkReader:
    """Reads bodies of many numbers for one packing, whose columns have some names.

    `vector`: the one column of that name is a vector, as wide as the packing.
    """

    def __init__(self, packing: Packing, names: Sequence[str], *, vector: bool) -> None:
        self._packing = packing
        self._names = list(names)
        self._vector = vector

    def read(self, body: bytes) -> bytes | None:
        """Return the bytes of the rows of a body of columns or data, or None in doubt."""
        if not self._vector and b'"rows"' in body[:_HEAD]:
            return None
        try:
            request = _document(body)
            (form,) = request.keys()
            if form == "rows":
                table = self._named(_array(request["rows"]), body)
            elif form == "data":
                table = self._data(_array(request["data"]), body)
            else:
                table = self._columns(_object(request["columns"]), body)
        except _DOUBTS:
            return None
        return None if table is None else self._packing.doubles(table)

    def infer(self, body: bytes) -> FlatInput | None:
        """Return the one input of flat numbers that a request has, or None in doubt."""
        try:
            request = _document(body)
            if sorted(request.keys()) not in (["inputs"], ["id", "inputs"]) or not occurs(body, b"[", 3):
                return None
            (only,) = _array(request["inputs"])
            given = _object(only)
            if sorted(given.keys()) != _KEYS:
                return None
            shape = [size for size in _array(given["shape"]) if type(size) is int]
            content = self._packing.doubles(_doubles(_array(given["data"])))
            if content is None:
                return None
            known_as = _text(request["id"]) if "id" in request else None
            return FlatInput(_text(given["name"]), _text(given["datatype"]), shape, content, known_as)
        except _DOUBTS:
            return None

    def _data(self, rows: simdjson.Array, body: bytes) -> Array | None:
        if self._vector:
            vectors = [vector for (vector,) in map(_array, rows)]
            return self._vectors(vectors, rows, body, brackets=2 * len(vectors) + 1)
        # Whatever else has a length (text, an object) is no number, which is what all must be in the end.
        widths = set(map(len, rows))  # type: ignore[arg-type] # what has no length is a TypeError, and so in doubt
        if widths != {self._packing.width} or not occurs(body, b"[", len(rows) + 1):
            return None
        return _doubles(rows)

    def _named(self, rows: simdjson.Array, body: bytes) -> Array | None:
        name = self._names[0]
        objects = list(map(_object, rows))
        vectors = [_array(one[name]) for one in objects if list(one.keys()) == [name]]
        brackets = len(objects) * (1 + name.count("[")) + 1
        unlike = not self._vector or len(vectors) != len(objects) or not occurs(body, b"[", brackets)
        if unlike or set(map(len, vectors)) != {self._packing.width}:
            return None
        return np.concatenate([_doubles(vector) for vector in vectors])

    def _columns(self, columns: simdjson.Object, body: bytes) -> Array | None:
        if len(self._names) > _MOST_COLUMNS or list(columns.keys()) != self._names:
            return None
        if self._vector:
            rows = _array(columns[self._names[0]])
            return self._vectors(rows, rows, body, brackets=len(rows) + 1 + self._names[0].count("["))
        brackets = len(self._names) + sum(name.count("[") for name in self._names)
        if not occurs(body, b"[", brackets):
            return None
        return np.array([_doubles(_array(columns[name])) for name in self._names]).T

    def _vectors(self, vectors: Iterable[object], rows: simdjson.Array, body: bytes, *, brackets: int) -> Array | None:
        if set(map(len, map(_array, vectors))) != {self._packing.width} or not occurs(body, b"[", brackets):
            return None
        return _doubles(rows)


def _document(body: bytes) -> simdjson.Object:
    parser = _shared if len(body) <= _KEPT_BYTES else simdjson.Parser()
    return _object(parser.parse(body))


def _object(value: object) -> simdjson.Object:
    if not isinstance(value, simdjson.Object):
        raise TypeError
    return value


def _array(value: object) -> simdjson.Array:
    if not isinstance(value, simdjson.Array):
        raise TypeError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _doubles(values: simdjson.Array) -> Array:
    return np.frombuffer(values.as_buffer(of_type="d"), np.float64)
