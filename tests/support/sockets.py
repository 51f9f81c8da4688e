"""Bytes on a socket, and what comes back: for what no HTTP client would send."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from starlette.datastructures import Headers

STATUS = re.compile(rb"^HTTP/1\.1 (\d{3}) ", re.MULTILINE)


@dataclass(frozen=True)
class Reply:
    """All that a server sent until it closed, or until the time was over."""

    raw: bytes
    closed: bool
    seconds: float

    @property
    def statuses(self) -> list[int]:
        return [int(status) for status in STATUS.findall(self.raw)]

    @property
    def headers(self) -> Headers:
        lines = self.raw.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
        return Headers(dict(line.decode().split(": ", 1) for line in lines))

    @property
    def problem(self) -> Any:
        assert self.headers["content-type"] == "application/problem+json"
        return from_json(self.raw.rpartition(b"\r\n\r\n")[2])


@contextmanager
def connection(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address, 5) as opened:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield opened


def listen(opened: socket.socket, seconds: float = 3) -> Reply:
    """Read until the server closes."""
    began = time.monotonic()
    raw, closed = bytearray(), False
    while not closed and (left := began + seconds - time.monotonic()) > 0:
        opened.settimeout(left)
        try:
            got = opened.recv(2**20)
        except TimeoutError:
            break
        except ConnectionError:
            got = b""
        raw += got
        closed = not got
    return Reply(bytes(raw), closed, time.monotonic() - began)


def talk(address: tuple[str, int], *parts: bytes, pause: float = 0.05, seconds: float = 3) -> Reply:
    """Send one part after the other, each in a packet of its own, and read until the server closes."""
    with connection(address) as opened:
        began = time.monotonic()
        for index, part in enumerate(parts):
            if index:
                time.sleep(pause)
            try:
                opened.sendall(part)
            except ConnectionError:  # the server has heard enough
                break
        reply = listen(opened, seconds)
        return Reply(reply.raw, reply.closed, time.monotonic() - began)


HOST = b"Host: argosy.test\r\n"
CLOSE = b"Connection: close\r\n"


def get(*lines: bytes, target: bytes = b"/a") -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"".join(lines) + b"\r\n"


def is_refused(reply: Reply, status: int) -> bool:
    """Whether there is one answer, a problem, and the end."""
    assert reply.statuses == [status], reply.raw
    kind = reply.problem["type"]
    assert kind.startswith("urn:argosy:problem:")
    assert reply.problem["status"] == status
    assert reply.headers["connection"] == "close"
    assert int(reply.headers["content-length"]) == len(reply.raw.partition(b"\r\n\r\n")[2])
    return reply.closed
