"""What a connection must keep to before its request reaches the application: size, pace and framing of the head.

uvicorn bounds none of them. It keeps a connection that sends nothing, or half a head, for as long as the client likes,
takes heads of any size, and leaves a few ways of framing on which a proxy in front may disagree. Limits and answers
follow RFC 9110 and RFC 6585, framing RFC 9112, sections 6 and 11.2.
"""

import asyncio
from asyncio.events import TimerHandle
from collections.abc import Sequence
from enum import Enum, auto
from typing import Any, ClassVar, NoReturn, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from argosy.kit.errors import (
    ArgosyError,
    BadRequest,
    HeadTooLarge,
    MethodNotImplemented,
    RequestTimeout,
    TargetTooLong,
    VersionNotSupported,
)
from argosy.kit.logs import get_logger
from argosy.kit.web.middleware import SECURITY_HEADERS
from argosy.kit.web.problems import problem

MAX_HEAD = 64 * 1024
MAX_FIELDS = 200
MAX_TARGET = 16 * 1024
FIELD_OVERHEAD = len(b": \r\n")
REFUSED_METHODS = frozenset({b"CONNECT", b"TRACE"})
VERSIONS = frozenset({"1.0", "1.1"})
log = get_logger("argosy.access")


class Part(Enum):
    """What of a request is being read."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with bounds; what breaks them is answered once, as a problem document, and closed."""

    head_timeout: ClassVar[float] = 30.0

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.url = b""
        self._part = Part.NOTHING
        self._requests = 0
        self._fields = 0
        self._head_parsed = 0
        self._head_received = 0
        self._deadline: TimerHandle | None = None
        self._refusal: ArgosyError | None = None
        self._deaf = False  # whether what still comes is passed over

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, then bound what the parser still holds."""
        if self._is_over():
            return
        part, requests = self._part, self._requests
        super().data_received(data)
        # A WebSocket, once accepted, has taken the transport over and is no longer among the connections.
        if self._is_over() or self not in self.connections:
            return
        if self._requests == requests + (part is Part.NOTHING):  # then all of it was of one request
            self._head_received += len(data)
        if self._part is Part.HEAD and self._head_received > MAX_HEAD:
            self._refuse(_too_large())
        elif self._part is Part.HEAD or not self._is_answering():
            self._watch()

    def on_message_begin(self) -> None:
        """Count from zero."""
        super().on_message_begin()
        self._unwatch()
        self._part = Part.HEAD
        self._requests += 1
        self._fields = self._head_parsed = self._head_received = 0

    def on_url(self, url: bytes) -> None:
        """Bound the request target; RFC 9112, section 3, asks for no less than 8000 bytes."""
        super().on_url(url)
        if len(self.url) > MAX_TARGET:
            self._reject(TargetTooLong(f"the request target may have at most {MAX_TARGET} bytes", limit=MAX_TARGET))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Bound the fields, and keep a trailer from passing for a header (RFC 9110, section 6.5.1)."""
        self._fields += 1
        self._head_parsed += len(name) + len(value) + FIELD_OVERHEAD
        if self._fields > MAX_FIELDS or self._head_parsed + len(self.url) > MAX_HEAD:
            self._reject(_too_large())
        if self._part is Part.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Refuse what is framed badly before anything of it runs."""
        upgrade = self.parser.should_upgrade()
        fault = fault_of(self.parser.get_method(), self.parser.get_http_version(), self.headers, upgrade=upgrade)
        if fault is None and upgrade and self._is_answering():
            fault = BadRequest("an upgrade must wait for the answers before it")
        if fault is not None:
            self._reject(fault)
        super().on_headers_complete()
        self._unwatch()
        self._part = Part.BODY
        if upgrade and not self._should_upgrade():
            # The parser drops what follows in the same read, so what comes later could begin anywhere.
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Note that the request is read."""
        super().on_message_complete()
        self._part = Part.NOTHING

    def on_response_complete(self) -> None:
        """Answer a refused request in its turn."""
        last = not self.pipeline
        super().on_response_complete()
        if last and self._refusal is not None and not self.transport.is_closing():
            self._answer(self._refusal)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words
        """Refuse what the parser cannot take; uvicorn calls this for every parser error."""
        self._refuse(self._refusal or BadRequest("the request is not valid HTTP/1.1"))

    def _reject(self, error: ArgosyError) -> NoReturn:
        # Raising ends the parsing; uvicorn then calls `send_400_response`.
        self._refusal = error
        raise error

    def _refuse(self, error: ArgosyError) -> None:
        """Answer now, or after the answers that are due before it (RFC 9112, section 9.3.2)."""
        self._refusal = error
        self._deaf = True
        self._unwatch()
        if self._part is not Part.BODY:
            if not self._is_answering():
                self._answer(error)
        elif self.pipeline:
            self.pipeline.popleft()  # the newest, which is the one at fault
        else:
            self._give_up(error)

    def _give_up(self, error: ArgosyError) -> None:
        # The application has the request already: whatever it answers must not follow on ours.
        begun = self.cycle.response_started
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        if begun:
            self.transport.close()
        else:
            self._answer(error)

    def _answer(self, error: ArgosyError) -> None:
        response = problem(error, self.url.partition(b"?")[0].decode("latin-1"))
        for name, value in {**SECURITY_HEADERS, "Connection": "close"}.items():
            response.headers[name] = value
        fields = [*self.server_state.default_headers, *response.raw_headers]
        lines = [STATUS_LINE[error.status], *(name + b": " + value + b"\r\n" for name, value in fields), b"\r\n"]
        self.transport.write(b"".join(lines) + bytes(response.body))
        self.transport.close()
        log.info("request_refused", status=error.status, problem=error.type)

    def _is_over(self) -> bool:
        return self._deaf or self.transport.is_closing()

    def _is_answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    def _watch(self) -> None:
        """Give the client its time; more bytes do not give it more."""
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.head_timeout, self._overdue)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _overdue(self) -> None:
        self._deadline = None
        if self._is_answering():
            self._watch()  # the connection waits for us, not for the client
        elif self._part is Part.HEAD:
            self._refuse(RequestTimeout(f"the head did not arrive within {self.head_timeout:g} seconds"))
        else:
            self.transport.close()  # nobody asked anything, or was answered long ago


def fault_of(
    method: bytes, version: str, headers: Sequence[tuple[bytes, bytes]], *, upgrade: bool
) -> ArgosyError | None:
    """Return what is wrong with a head that the parser took, or None.

    The parser refuses repeated lengths, a length beside a coding, folded lines, bare line feeds and control characters.
    """
    if method in REFUSED_METHODS:
        return MethodNotImplemented()
    if version not in VERSIONS:
        return VersionNotSupported("HTTP/1.0 and HTTP/1.1 are spoken here")
    codings, lengths, hosts = (_values(headers, name) for name in (b"transfer-encoding", b"content-length", b"host"))
    # RFC 9112, section 6.1: a coding in HTTP/1.0 is faulty, and of the codings only `chunked` frames by itself.
    if codings and (version == "1.0" or codings != [b"chunked"]):
        return BadRequest("the only Transfer-Encoding taken is chunked, once, in HTTP/1.1")
    if len(hosts) > 1 or (version == "1.1" and not hosts):
        return BadRequest("one Host field is needed")  # RFC 9112, section 3.2
    # The parser takes the body of such a request for the next request.
    if upgrade and (codings or lengths not in ([], [b"0"])):
        return BadRequest("a request to upgrade must not have a body")
    return None


def _values(headers: Sequence[tuple[bytes, bytes]], wanted: bytes) -> list[bytes]:
    return [value.strip(b" \t").lower() for name, value in headers if name == wanted]


def _too_large() -> HeadTooLarge:
    return HeadTooLarge(f"a head may have at most {MAX_FIELDS} fields and {MAX_HEAD} bytes", limit=MAX_HEAD)
