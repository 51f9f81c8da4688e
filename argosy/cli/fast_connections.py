"""The fast path inside the connection: predictions answered from the HTTP parser's callbacks, without an ASGI task.

A client sends the same head over and over, but for the length of the body. A head that was once parsed, and found to be
a prediction the fast path takes, is recognized by its bytes and not parsed again.
"""

import time
from dataclasses import dataclass
from typing import Any, ClassVar

from argosy.cli.connections import GuardedProtocol, Part, fault_of
from argosy.kit.errors import RequestTimeout
from argosy.kit.web.middleware import MIN_BODY_RATE
from argosy.serving.answers import Call
from argosy.serving.door import Access, Door
from argosy.serving.fast_path import FastPath
from argosy.serving.heads import Head, read_head
from argosy.serving.protocols.wire import END, Wire

NOTHING = Part.NOTHING
MOST_TRIES = 3
MOST_HELD = 256 * 1024
MOST_HEADS = 10_000


@dataclass(slots=True)
class Known:
    """A head that was read, its bytes, and who sends it; `door` is where its requests enter with others."""

    access: Access
    head: Head
    raw: bytes
    door: Door | None

    @classmethod
    def of(cls, access: Access, head: Head, raw: bytes) -> "Known":
        """Return what is known of a head."""
        return cls(access, head, raw, access.door_for(head))


class FastProtocol(GuardedProtocol):
    """Answers what the fast path takes; uvicorn and the application do the rest."""

    fast: ClassVar[FastPath]
    heads: ClassVar[dict[bytes, Known]]
    body_timeout: ClassVar[float] = 30.0
    retired: ClassVar[bool] = False  # whether each connection ends with its next answer, which then says so
    wire: ClassVar[Wire]

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's, passed on
        super().__init__(*args, **options)
        self._secure = False
        self._raw_head: bytes | None = None  # of the message that began with the bytes received last
        self._beyond_head = 0
        self._reading: Known | None = None  # whose body is being read
        self._chunks: list[bytes] = []
        self._missing = 0
        self._pending: Known | None = None  # what was taken and not answered
        self.head: Head
        self.body = b""
        self.call: Call | None = None
        self._tries = 0
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._slowly = False  # whether the next request goes the long way
        self._leaving = False
        self._seen = 0.0

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - as uvicorn has it
        """Begin."""
        super().connection_made(transport)
        self._secure = self.scheme == "https"

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of what nobody waits for."""
        if (pending := self._pending) is not None:
            if self.call is not None:
                self.fast.abandon(pending.access, self.call)
            pending.access.leave(self)
        self._held.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer a known head at once; parse any other."""
        if self._pending is not None or self.flow.write_paused:
            self._hold(data)
            return
        if self._reading is not None:
            whole, rest = data[: self._missing], data[self._missing :]
            if rest:
                self._hold(rest)
            super().data_received(whole)
            return
        self._raw_head = None
        # Spelt out rather than called: this runs once a request.
        if self._part is NOTHING and (self.cycle is None or self.cycle.response_complete):  # type: ignore[redundant-expr]
            end = data.find(END)
            if end > 0:
                raw, beyond = data[:end], len(data) - end - 4
                known = self.heads.get(raw)
                if known is not None and beyond == known.head.length and not self._is_over():
                    if self.timeout_keep_alive_task is not None:
                        self._unset_keepalive_if_required()
                    self._take(known, data[end + 4 :])
                    return
                self._raw_head, self._beyond_head = raw, beyond
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Keep a prediction from the application when the fast path takes it."""
        raw, self._raw_head = self._raw_head, None
        if raw is None or self._slowly or self.scheme is None or self._is_answering():
            self._slowly = False
            super().on_headers_complete()
            return
        method = self.parser.get_method()
        head = read_head(method, self.url, self.headers)
        access = self.fast.find(head) if head is not None and self._beyond_head <= head.length else None
        if (
            head is None
            or access is None
            or not self.parser.should_keep_alive()
            or self.parser.should_upgrade()
            or fault_of(method, self.parser.get_http_version(), self.headers, upgrade=False) is not None
        ):
            super().on_headers_complete()
            return
        known = Known.of(access, head, raw)
        if head.request_id is None:
            if len(self.heads) >= MOST_HEADS:
                self.heads.clear()
            self.heads[raw] = known
        self._part = Part.BODY
        self._reading, self._chunks, self._missing = known, [], head.length
        self._unwatch()
        self._deadline = self.loop.call_later(self.body_timeout + head.length / MIN_BODY_RATE, self._body_overdue)

    def on_body(self, body: bytes) -> None:
        """Collect."""
        if self._reading is None:
            super().on_body(body)
            return
        self._chunks.append(body)
        self._missing -= len(body)

    def on_message_complete(self) -> None:
        """Take the request."""
        if self._reading is None:
            super().on_message_complete()
            return
        known, self._reading, self._part = self._reading, None, Part.NOTHING
        self._unwatch()
        self._take(known, b"".join(self._chunks))

    def resume_writing(self) -> None:
        """Go on with what was held while the client did not read."""
        super().resume_writing()
        self._go_on()

    def shutdown(self) -> None:
        """Close, after the answer that is due."""
        if self._pending is not None or self._reading is not None:
            self._leaving = True
        else:
            super().shutdown()

    def _take(self, known: Known, body: bytes) -> None:
        self._pending, self.head, self.body = known, known.head, body
        if known.door is not None:
            known.door.knock(known.access, self)
        elif known.head.waits_its_turn:
            self.fast.turnstile.enter(self.go_alone, known.head.length)
        else:
            self.go_alone()

    def go_alone(self) -> None:
        """Be submitted, as soon as what is known may be believed."""
        known = self._pending
        if known is None or self.transport.is_closing():
            self._pending = None
            return
        self._tries = 0
        now = time.monotonic()
        if self.fast.holds(known.access, now):
            self._submit(known, now)
        else:
            renewal = self.fast.renew(known.head)
            renewal.add_done_callback(lambda done: self._renewed(None if done.cancelled() else done.result()))

    def go_the_long_way(self) -> None:
        """Be answered by the application."""
        self.loop.call_soon(self._go_the_long_way)

    def _renewed(self, access: Access | None) -> None:
        known, now = self._pending, time.monotonic()
        if self.transport.is_closing() or known is None:
            self._pending = None
        elif access is None or not self.fast.holds(access, now):
            self.heads.pop(known.raw, None)
            self._go_the_long_way()
        else:
            self._pending = fresh = Known.of(access, known.head, known.raw)
            if known.raw in self.heads:
                self.heads[known.raw] = fresh
            self._submit(fresh, now)

    def _submit(self, known: Known, now: float) -> None:
        taken = self.fast.submit(known.access, known.head, self.body, self.reply, now)
        if isinstance(taken, Call):
            self.call = taken
        elif taken is None or self._tries == MOST_TRIES:
            self.go_the_long_way()
        else:
            self._tries += 1
            taken.add_done_callback(lambda _: self._try_again())

    def _try_again(self) -> None:
        if self._pending is not None:
            self._renewed(self._pending.access)

    def reply(self, call: Call, result: bytes | Exception) -> None:
        """Answer."""
        self.call = None
        if self.transport.is_closing():
            self._pending = None
        elif isinstance(result, Exception):
            self._refuse_call(call, result)
        else:
            defaults = self.server_state.default_headers
            self.transport.write(self.wire.answer(call, result, defaults, secure=self._secure))
            self._answered()

    def _refuse_call(self, call: Call, error: Exception) -> None:
        assert self._pending is not None  # noqa: S101 - it is answered now
        refusal = self.fast.refusal(self._pending.access, self.head, call, error)
        if refusal is None:
            self._go_the_long_way()
            return
        body, defaults = refusal.body(call.request_id), self.server_state.default_headers
        self.transport.write(self.wire.whole(refusal.start, call, body, defaults, secure=self._secure))
        self._answered()

    def _answered(self) -> None:
        self.server_state.total_requests += 1
        self._pending = None
        self._seen = self.loop.time()
        if self._leaving or self.retired:
            self.transport.close()
        elif self._held:
            self.loop.call_soon(self._go_on)
        elif self._deadline is None:
            self._watch()

    def _go_the_long_way(self) -> None:
        """Give the request to the application after all, as it came."""
        if self._pending is None or self.transport.is_closing():
            return
        raw, self._pending = self._pending.raw, None
        self._slowly = True
        self._raw_head = None
        super().data_received(raw + END + self.body)
        if self._leaving:
            super().shutdown()
        if self._held:
            self.loop.call_soon(self._go_on)

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > MOST_HELD:
            self.flow.pause_reading()

    def _go_on(self) -> None:
        if self._pending is None and self._held and not self.flow.write_paused and not self.transport.is_closing():
            data, self._held, self._held_bytes = b"".join(self._held), [], 0
            self.flow.resume_reading()
            self.data_received(data)

    def _body_overdue(self) -> None:
        self._deadline = None
        self._reading, self._part = None, Part.NOTHING
        self._refuse(RequestTimeout("the body stopped arriving, or came too slowly"))

    def _overdue(self) -> None:
        left = self._seen + self.head_timeout - self.loop.time()
        if self._pending is not None:
            self._deadline = self.loop.call_later(self.head_timeout, self._overdue)
        elif self._part is Part.NOTHING and self._seen and left > 0:
            self._deadline = self.loop.call_later(left, self._overdue)
        else:
            super()._overdue()


def fast(path: FastPath, head_timeout: float, body_timeout: float) -> type[FastProtocol]:
    """Return the protocol with its limits, as uvicorn's `http` option takes it."""
    own = {"fast": path, "heads": {}, "wire": Wire(), "head_timeout": head_timeout, "body_timeout": body_timeout}
    return type("Protocol", (FastProtocol,), own)
