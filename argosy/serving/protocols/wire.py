"""Answers as HTTP/1.1 has them, head and body in one piece: for connections that are known to take them so.

Servers check each field of an ASGI answer's head, and write head and body one after the other. What is written here is
made of constants, numbers and ids that were checked before.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from argosy.kit.rates import Standing
from argosy.kit.web.middleware import HSTS, SECURITY_HEADERS
from argosy.serving.answers import Call

Field = tuple[bytes, bytes]
FIXED: list[Field] = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
LIMITS = tuple(name.lower().encode() for name in Standing.HEADERS)
SECURE: Field = (b"strict-transport-security", HSTS.encode())
END = b"\r\n\r\n"
MOST_LENGTHS = 4096
# Another release of uvicorn may keep them elsewhere: then every answer is two messages of ASGI.
ATTRIBUTES = {
    "access_log", "chunked_encoding", "default_headers", "disconnected", "flow", "keep_alive", "message_event",
    "on_response", "response_complete", "response_started", "transport", "waiting_for_100_continue",
}  # fmt: skip
IS_KNOWN = set(RequestResponseCycle.__init__.__code__.co_names) >= ATTRIBUTES


def lines(headers: Iterable[Field]) -> bytes:
    """Return header fields as lines."""
    return b"".join([name + b": " + value + b"\r\n" for name, value in headers])


def start(status: int, headers: Iterable[Field]) -> bytes:
    """Return the status line, the fields of every answer, and some more."""
    return STATUS_LINE[status] + lines(FIXED) + lines(headers)


def content(call: Call) -> list[Field]:
    """Return the fields that say what the body of an answer is, and what is left of a quota."""
    told = [(b"content-type", b"application/json")]
    if call.json_length is not None:
        length = b"%d" % call.json_length
        told = [(b"content-type", b"application/octet-stream"), (b"inference-header-content-length", length)]
    if call.spent is not None:
        told += [(name.lower().encode(), value.encode()) for name, value in call.spent.headers.items()]
    return told


def limits(standing: Standing | None) -> list[Field]:
    """Return the fields that tell a caller's standing."""
    if standing is None:
        return []
    values = (standing.limit, standing.remaining, standing.reset)
    return [(name, b"%d" % value) for name, value in zip(LIMITS, values, strict=True)]


JSON_START = start(200, [(b"content-type", b"application/json")])
BINARY_START = start(200, [(b"content-type", b"application/octet-stream")]) + b"inference-header-content-length: %d\r\n"
SECURE_LINE = lines([SECURE])


def _start_of(call: Call) -> bytes:
    if call.spent is not None:
        return start(200, content(call))
    return JSON_START if call.json_length is None else BINARY_START % call.json_length


@lru_cache(MOST_LENGTHS)
def _to_request_id(length: int) -> bytes:
    return b"content-length: %d\r\nx-request-id: " % length


class Wire:
    """Words answers, and keeps what is alike in those that follow each other."""

    def __init__(self) -> None:
        self._defaults: tuple[Sequence[Field], bytes] = ([], b"")
        self._standing: Standing | None = None
        self._limits = b""

    def answer(self, call: Call, body: bytes, defaults: Sequence[Field], *, secure: bool) -> bytes:
        """Return a call's answer, with the fields that the server gives to every one."""
        beginning = JSON_START if call.spent is None and call.json_length is None else _start_of(call)
        return self.whole(beginning, call, body, defaults, secure=secure)

    def whole(self, beginning: bytes, call: Call, body: bytes, defaults: Sequence[Field], *, secure: bool) -> bytes:
        """Return what a call is told, beginning with a status line and fields that are alike for many."""
        if call.standing is not self._standing:  # calls that came together share one
            self._standing, self._limits = call.standing, lines(limits(call.standing))
        return b"".join(
            (
                beginning,
                self.defaults(defaults),
                SECURE_LINE if secure else b"",
                self._limits,
                _to_request_id(len(body)),
                call.request_id.encode(),
                END,
                body,
            )
        )

    def defaults(self, headers: Sequence[Field]) -> bytes:
        """Return the server's own fields, which it makes anew each second."""
        known, shown = self._defaults
        if headers is not known:
            shown = lines(headers)
            self._defaults = (headers, shown)
        return shown


def cycle_of(send: Send) -> RequestResponseCycle | None:
    """Return the exchange of uvicorn's that an answer is sent in, where it takes one written in one piece.

    That is one that nothing was sent in yet, on a connection that is written to and stays open, and that is not logged.
    """
    cycle = getattr(send, "__self__", None)
    if not IS_KNOWN or type(cycle) is not RequestResponseCycle or send != cycle.send:
        return None
    if cycle.response_started or cycle.disconnected or cycle.access_log or not cycle.keep_alive:
        return None
    return None if cycle.flow.write_paused else cycle


def write_whole(cycle: RequestResponseCycle, answer: bytes) -> None:
    """Write a whole answer, and leave the exchange as it is after two messages of ASGI."""
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = cycle.chunked_encoding = False
    cycle.transport.write(answer)
    cycle.message_event.set()
    cycle.on_response()
