"""Messages between the server and the process of an isolated model: JSON about the tensors, and their bytes."""

import json
import socket
import struct
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from argosy.serving.runtime import Outputs, Tensors

SIZES = struct.Struct("<IQ")
TEXT = "text"
Fields = dict[str, str | int | float | bool | None]


@dataclass(frozen=True, slots=True)
class Frame:
    """A message: what it is, what is said beside, and tensors."""

    kind: str
    fields: Fields = field(default_factory=dict)
    tensors: Tensors = field(default_factory=dict)


def send(connection: socket.socket, frame: Frame) -> None:
    """Send a message; raises `OSError` when nobody takes it."""
    connection.sendall(encoded(frame))


def encoded(frame: Frame) -> bytes:
    """Return the bytes of a message."""
    told, parts = [], []
    for name, values in frame.tensors.items():
        array = np.asarray(values)
        is_text = array.dtype == object
        content = json.dumps(array.reshape(-1).tolist()).encode() if is_text else np.ascontiguousarray(array).tobytes()
        told.append([name, TEXT if is_text else array.dtype.str, array.shape, len(content)])
        parts.append(content)
    head = json.dumps([frame.kind, frame.fields, told]).encode()
    return b"".join([SIZES.pack(len(head), sum(map(len, parts))), head, *parts])


def receive(connection: socket.socket) -> Frame:
    """Return the next message; raises `EOFError` when the other end has gone."""
    head_size, size = SIZES.unpack(_exactly(connection, SIZES.size))
    kind, fields, told = json.loads(bytes(_exactly(connection, head_size)))
    content, start = _exactly(connection, size), 0
    tensors: Outputs = {}
    for name, dtype, shape, length in told:
        tensors[name] = _array(content[start : start + length], dtype, shape)
        start += length
    return Frame(kind, fields, tensors)


def _array(content: memoryview, dtype: str, shape: list[int]) -> NDArray[np.generic]:
    if dtype != TEXT:
        return np.frombuffer(content, np.dtype(dtype)).reshape(shape)
    texts = json.loads(bytes(content))
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array.reshape(shape)


def _exactly(connection: socket.socket, size: int) -> memoryview:
    content = bytearray(size)
    view, got = memoryview(content), 0
    while got < size:
        count = connection.recv_into(view[got:])
        if not count:
            raise EOFError
        got += count
    return view
