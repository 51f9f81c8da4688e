"""Rows of the one tensor of a model as bytes, which is how they wait until they run with others."""

import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import starmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argosy.signature.schema import dtype_bounds, numpy_type
from argosy.signature.spec import DType

Array = NDArray[Any]
FORMATS = {DType.FLOAT32: "f", DType.FLOAT64: "d"}
MANY_BYTES = 8192
# How the largest number of float32 ends: one that was rounded down to it was too large.
_LARGEST = b"\xff\xff\x7f"


def occurs(body: bytes, character: bytes, times: int) -> bool:
    """Tell whether a character is in a body so many times.

    Looking for it and counting in NumPy take many bytes at once, where `bytes.count` goes byte by byte.
    """
    if times == 1:
        return body.rfind(character) == body.find(character) >= 0
    if len(body) < MANY_BYTES:
        return body.count(character) == times
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == ord(character))) == times


class PackedRows(Mapping[str, Array]):
    """Rows of the one tensor of a model as bytes, which become an array when they are asked for."""

    __slots__ = ("_packing", "content")

    def __init__(self, packing: "Packing", content: bytes) -> None:
        self._packing = packing
        self.content = content

    def __getitem__(self, name: str) -> Array:
        """Return the array, of shape (rows, features), which cannot be written to."""
        if name != self._packing.name:
            raise KeyError(name)
        return self._packing.array(self.content)

    def __iter__(self) -> Iterator[str]:
        """Yield the tensor's name."""
        yield self._packing.name

    def __len__(self) -> int:
        """Return 1."""
        return 1

    def joined(self, contents: Iterable[bytes]) -> dict[str, Array]:
        """Return the tensor of the contents of some that are packed alike."""
        packing = self._packing
        return {packing.name: packing.array(b"".join(contents))}


class Packing:
    """How rows of one tensor become bytes."""

    def __init__(self, name: str, dtype: DType, width: int) -> None:
        self.name = name
        self.width = width
        self.size = numpy_type(dtype).itemsize * width
        self._type = numpy_type(dtype)
        self._limit = dtype_bounds(dtype)[1]
        self._guard = dtype is DType.FLOAT32
        self._row = struct.Struct(f"={width}{FORMATS[dtype]}")

    def array(self, content: bytes) -> Array:
        """Return the array of some rows."""
        return np.frombuffer(content, self._type).reshape(-1, self.width)

    def is_finite(self, content: bytes) -> bool:
        """Tell whether bytes, little-endian as protocols have them, are all finite; on other machines, no."""
        return sys.byteorder == "little" and bool(np.isfinite(np.frombuffer(content, self._type)).all())

    def one(self, values: Sequence[float]) -> bytes | None:
        """Return the bytes of one row, or None in doubt; raises `struct.error` or `OverflowError`."""
        content = self._row.pack(*values)
        return None if self._guard and _LARGEST in content else content

    def several(self, rows: Iterable[Iterable[float]]) -> bytes | None:
        """Return the bytes of several rows, or None in doubt; raises `struct.error` or `OverflowError`."""
        content = b"".join(starmap(self._row.pack, rows))
        return None if self._guard and _LARGEST in content else content

    def flat(self, values: Sequence[float]) -> bytes | None:
        """Return the bytes of whole rows one after the other, or None in doubt; raises `OverflowError`."""
        if len(values) == self.width:
            return self.one(values)
        return self.several(zip(*[iter(values)] * self.width, strict=True))

    def doubles(self, table: Array) -> bytes | None:
        """Return the bytes of an array of float64 in its order by rows, or None where one is beyond the type."""
        if not table.size or not bool(np.abs(table).max() <= self._limit):
            return None
        return table.astype(self._type).tobytes()
