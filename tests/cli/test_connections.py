"""What reaches the application, and what is refused before: size, pace and framing, over bare sockets."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import pytest
import uvicorn
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from argosy.cli.connections import MAX_FIELDS, MAX_HEAD, MAX_TARGET
from argosy.cli.fast_connections import fast
from argosy.kit.web.middleware import BodyTimeoutMiddleware
from argosy.serving.fast_path import FastPath
from tests.support.sockets import CLOSE, HOST, Reply, connection, get, is_refused, listen, talk

TIMEOUT = 0.3
NO_PREDICTIONS = cast("FastPath", None)  # it is asked about nothing else
DELAYS = {"/soon": TIMEOUT / 3, "/long": TIMEOUT * 1.7}
BEGUN = b"-" * 2**23  # more than the kernel keeps for a client that does not read
EVIL = b"GET /evil HTTP/1.1\r\n" + HOST + b"\r\n"


@dataclass
class Small:
    """An application that notes what it was asked, once all of it is read; behind the real protocol."""

    asked: list[tuple[str, bytes]] = field(default_factory=list)
    headers: dict[bytes, bytes] = field(default_factory=dict)
    address: tuple[str, int] = ("", 0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await websocket(receive, send)
        elif scope["path"] == "/early":
            await answer(send, 200)
        elif scope["path"] == "/begin":
            size = [(b"content-length", b"%d" % (len(BEGUN) + 4))]
            await send({"type": "http.response.start", "status": 200, "headers": size})
            await send({"type": "http.response.body", "body": BEGUN, "more_body": True})
            await self._read(scope, receive)
            await send({"type": "http.response.body", "body": b"late"})
        else:
            try:
                await self._read(scope, receive)
                await asyncio.sleep(DELAYS.get(scope["path"], 0))
                await answer(send, 200)
            except HTTPException as error:
                await answer(send, error.status_code)

    async def _read(self, scope: Scope, receive: Receive) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        self.asked.append((scope["path"], body))
        self.headers = dict(scope["headers"])
        if scope["path"] == "/wait":
            self.asked.append(((await receive())["type"], b""))


async def answer(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


async def websocket(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await asyncio.sleep(2 * TIMEOUT)
    await send({"type": "websocket.send", "text": "still here"})
    await send({"type": "websocket.close"})


@pytest.fixture(scope="module")
def running() -> Iterator[Small]:
    app = Small()
    config = uvicorn.Config(
        BodyTimeoutMiddleware(app, TIMEOUT),
        port=0,
        http=fast(NO_PREDICTIONS, TIMEOUT, TIMEOUT),
        lifespan="off",
        log_config=None,
        timeout_keep_alive=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    app.address = server.servers[0].sockets[0].getsockname()[:2]
    yield app
    server.should_exit = True
    thread.join()


@pytest.fixture
def small(running: Small) -> Small:
    running.asked.clear()
    running.headers.clear()
    return running


def post(*lines: bytes, body: bytes = b"", target: bytes = b"/a") -> bytes:
    return b"POST " + target + b" HTTP/1.1\r\n" + HOST + b"".join(lines) + b"\r\n" + body


def chunked(body: bytes, target: bytes = b"/a") -> bytes:
    return post(b"Transfer-Encoding: chunked\r\n", body=body, target=target)


def length(size: int, body: bytes = b"", target: bytes = b"/a") -> bytes:
    return post(b"Content-Length: %d\r\n" % size, body=body, target=target)


AMBIGUOUS = {
    "a length and a coding": post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", body=b"0\r\n\r\n"),
    "a coding and a length": post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", body=b"0\r\n\r\n"),
    "two lengths": post(b"Content-Length: 5\r\nContent-Length: 6\r\n", body=b"hello!"),
    "a list of lengths": post(b"Content-Length: 5, 6\r\n", body=b"hello!"),
    "a signed length": post(b"Content-Length: +5\r\n", body=b"hello"),
    "chunked not last": post(b"Transfer-Encoding: chunked, identity\r\n", body=b"0\r\n\r\n"),
    "identity before chunked": post(b"Transfer-Encoding: identity, chunked\r\n", body=b"0\r\n\r\n"),
    "an unknown coding before chunked": post(b"Transfer-Encoding: x, chunked\r\n", body=b"0\r\n\r\n"),
    "two codings": post(b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", body=b"0\r\n\r\n"),
    "chunked twice": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", body=b"0\r\n\r\n"),
    "xchunked": post(b"Transfer-Encoding: xchunked\r\n", body=b"0\r\n\r\n"),
    "a coding in HTTP/1.0": b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk size that is none": chunked(b"zz\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with a prefix": chunked(b"0x5\r\nhello\r\n0\r\n\r\n"),
    "a negative chunk size": chunked(b"-5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size past 64 bits": chunked(b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    "a chunk longer than said": chunked(b"3\r\nhello\r\n0\r\n\r\n"),
    "a chunk after a bare LF": chunked(b"5\nhello\r\n0\r\n\r\n"),
    "a length in a trailer": chunked(b"0\r\nContent-Length: 5\r\n\r\n"),
    "a folded field": get(b"X-A: b\r\n c\r\n"),
    "a folded coding": post(b"Transfer-Encoding:\r\n chunked\r\n", body=b"0\r\n\r\n"),
    "bare LF": b"GET /a HTTP/1.1\nHost: a\n\n",
    "bare LF in the fields": b"GET /a HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n",
    "a space before the colon": post(b"Content-Length : 5\r\n", body=b"hello"),
    "NUL in a field": get(b"X-A: a\0b\r\n"),
    "CR in a field": get(b"X-A: a\rb\r\n"),
    "a method that is none": b"G@T /a HTTP/1.1\r\n" + HOST + b"\r\n",
    "an unknown method": b"FETCH /a HTTP/1.1\r\n" + HOST + b"\r\n",
    "no host": b"GET /a HTTP/1.1\r\n\r\n",
    "two hosts": get(b"Host: elsewhere\r\n"),
    "an upgrade with a body": post(b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n" % len(EVIL)),
}


@pytest.mark.parametrize("message", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_a_request_of_ambiguous_framing_is_refused_once_and_nothing_runs(small: Small, message: bytes) -> None:
    assert is_refused(talk(small.address, message + EVIL), 400)
    assert is_refused(talk(small.address, message, EVIL, pause=0.01), 400)
    assert small.asked == []


@pytest.mark.parametrize(
    ("line", "status"),
    [(b"TRACE /a HTTP/1.1", 501), (b"CONNECT a:443 HTTP/1.1", 501), (b"CONNECT /a HTTP/1.1", 501),
     (b"GET /a HTTP/2.0", 505), (b"GET /a HTTP/0.9", 505)],
)  # fmt: skip
def test_other_methods_and_versions_are_refused(small: Small, line: bytes, status: int) -> None:
    assert is_refused(talk(small.address, line + b"\r\n" + HOST + b"\r\n" + EVIL), status)
    assert small.asked == []


def test_what_is_framed_well_passes(small: Small) -> None:
    upper = post(b"Transfer-Encoding: Chunked\r\n", body=b"5;a=b\r\nhello\r\n0\r\n\r\n")
    reply = talk(small.address, upper, length(2, b"hi"), b"\r\n" + get() + get(CLOSE, target=b"/b"))
    assert reply.statuses == [200, 200, 200, 200]
    assert small.asked == [("/a", b"hello"), ("/a", b"hi"), ("/a", b""), ("/b", b"")]
    assert talk(small.address, b"GET /a HTTP/1.0\r\n\r\n").statuses == [200]


def test_an_upgrade_that_is_not_taken_ends_the_connection_after_its_answer(small: Small) -> None:
    upgrade = get(b"Connection: upgrade\r\nUpgrade: h2c\r\n")
    # The parser drops the rest of the first packet, so that the second would begin in the middle of a body.
    reply = talk(small.address, upgrade + length(len(EVIL)), EVIL)
    assert reply.statuses == [200]
    assert reply.headers["connection"] == "close"
    assert reply.closed
    assert small.asked == [("/a", b"")]


def test_a_trailer_does_not_become_a_header(small: Small) -> None:
    message = post(
        CLOSE, b"Transfer-Encoding: chunked\r\n", body=b"0\r\nX-Admin: yes\r\nAuthorization: Bearer a\r\n\r\n"
    )
    assert talk(small.address, message).statuses == [200]
    assert small.asked == [("/a", b"")]
    assert small.headers == {b"host": b"argosy.test", b"connection": b"close", b"transfer-encoding": b"chunked"}


def test_a_refusal_waits_for_the_answers_before_it(small: Small) -> None:
    for bad in (b"G@T / HTTP/1.1\r\n\r\n", chunked(b"zz\r\n"), get(b"Connection: upgrade\r\nUpgrade: websocket\r\n")):
        small.asked.clear()
        reply = talk(small.address, get(target=b"/soon") + get(target=b"/b") + bad + EVIL)
        assert reply.statuses == [200, 200, 400]
        assert reply.closed
        assert small.asked == [("/soon", b""), ("/b", b"")]


def test_an_answer_that_has_begun_is_broken_off_and_not_followed_by_another(small: Small) -> None:
    reply = talk(small.address, chunked(b"5\r\nhello\r\n", target=b"/begin"), b"zz\r\n" + EVIL)
    assert reply.statuses == [200]
    assert reply.closed
    assert b"late" not in reply.raw
    assert small.asked == []


def test_a_head_may_have_so_many_fields_and_bytes(small: Small) -> None:
    fields = [b"X-%d: a\r\n" % index for index in range(MAX_FIELDS - 2)]
    assert talk(small.address, get(CLOSE, *fields)).statuses == [200]
    assert is_refused(talk(small.address, get(CLOSE, *fields, b"X: a\r\n")), 431)
    value = b"a" * (MAX_HEAD - len(get(CLOSE, b"X: \r\n")))
    assert talk(small.address, get(CLOSE, b"X: " + value + b"\r\n")).statuses == [200]
    assert is_refused(talk(small.address, get(CLOSE, b"X: " + value + b"a" * 40 + b"\r\n")), 431)
    trailers = b"".join(fields)
    assert is_refused(talk(small.address, chunked(b"0\r\n" + trailers + b"X: a\r\nY: b\r\nZ: c\r\n\r\n")), 431)


def test_a_head_that_does_not_end_is_refused_when_it_is_too_large(small: Small) -> None:
    begin = get().removesuffix(b"\r\n") + b"X: "
    long = b"a" * (MAX_HEAD + 1)
    for parts in ([begin, long], [begin + long], [length(2, b"hi") + begin, long]):
        reply = talk(small.address, *parts)
        assert reply.statuses[-1] == 431
        assert reply.seconds < TIMEOUT


def test_a_target_may_have_so_many_bytes(small: Small) -> None:
    target = b"/" + b"a" * (MAX_TARGET - 1)
    assert talk(small.address, get(CLOSE, target=target)).statuses == [200]
    assert is_refused(talk(small.address, get(CLOSE, target=target + b"?")), 414)
    assert is_refused(talk(small.address, b"GET " + target, b"aaaa"), 414)


def trickle(opened: socket.socket, data: bytes) -> threading.Thread:
    """Send byte after byte, each well within the time limit."""

    def send() -> None:
        for index in range(len(data)):
            try:
                opened.sendall(data[index : index + 1])
            except OSError:
                return
            time.sleep(TIMEOUT / 5)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def trickled(address: tuple[str, int], first: bytes, then: bytes) -> Reply:
    with connection(address) as opened:
        opened.sendall(first)
        thread = trickle(opened, then)
        reply = listen(opened, 10 * TIMEOUT)
    thread.join()
    return reply


def test_a_client_that_sends_nothing_is_dropped_without_a_word(small: Small) -> None:
    reply = talk(small.address)
    assert (reply.raw, reply.closed) == (b"", True)
    assert TIMEOUT * 0.9 < reply.seconds < TIMEOUT + 1


def test_a_head_that_does_not_end_in_time_is_dropped_however_it_comes(small: Small) -> None:
    part = b"GET /a HTTP/1.1\r\nHost: a\r\nX-A:"
    stopped = talk(small.address, part)
    assert is_refused(stopped, 408)
    assert is_refused(trickled(small.address, part, b"a" * 30), 408)
    assert is_refused(trickled(small.address, b"", part), 408)
    assert TIMEOUT * 0.9 < stopped.seconds < TIMEOUT + 1
    late = talk(small.address, length(2, b"hi") + part)
    assert late.statuses == [200, 408]


def test_line_ends_do_not_keep_a_connection(small: Small) -> None:
    for first in (b"", get()):
        reply = trickled(small.address, first, b"\r\n" * 30)
        assert reply.statuses == [200] * bool(first)
        assert reply.closed


def test_the_rest_of_a_body_that_nobody_reads_does_not_keep_a_connection(small: Small) -> None:
    reply = trickled(small.address, length(100, target=b"/early"), b"a" * 40)
    assert reply.statuses == [200]
    assert reply.closed


def test_the_end_of_a_body_that_nobody_read_does_not_keep_a_connection(small: Small) -> None:
    reply = talk(small.address, length(4, b"a", target=b"/early"), b"aaa")
    assert reply.statuses == [200]
    assert reply.closed


def test_each_request_has_the_whole_time(small: Small) -> None:
    # What is left of the time for the unread body is not the next head's.
    begin, rest = get(CLOSE)[:10], get(CLOSE)[10:]
    reply = talk(small.address, length(4, b"a", target=b"/early"), b"aaa", begin, rest, pause=0.6 * TIMEOUT)
    assert reply.statuses == [200, 200]


def test_an_idle_connection_is_closed_after_the_keep_alive_time(small: Small) -> None:
    reply = talk(small.address, get())
    assert reply.statuses == [200]
    assert reply.closed


def test_an_answer_may_take_longer_than_a_head(small: Small) -> None:
    begin, rest = get(CLOSE)[:10], get(CLOSE)[10:]
    # What comes meanwhile is not the client's delay either.
    assert talk(small.address, get(target=b"/long"), b"\r\n" + begin, rest).statuses == [200, 200]
    assert talk(small.address, get(target=b"/long") + begin, rest, pause=1.5 * TIMEOUT).statuses == [200, 200]


def test_a_websocket_is_not_held_to_the_time_of_a_head(small: Small) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    head = get(upgrade, b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
    reply = talk(small.address, head[:20], head[20:], seconds=3 * TIMEOUT)
    assert reply.statuses == [101]
    assert b"still here" in reply.raw


def test_a_body_that_stops_or_trickles_is_given_up(small: Small) -> None:
    sized, unsized = post(CLOSE, b"Content-Length: 100\r\n"), post(CLOSE, b"Transfer-Encoding: chunked\r\n")
    assert talk(small.address, sized + b"a").statuses == [408]
    for head, body in ((sized, b"a" * 30), (unsized, b"1\r\na\r\n" * 6)):
        slow = trickled(small.address, head, body)
        assert slow.statuses == [408]
        assert slow.seconds < 3 * TIMEOUT  # and not only when the last byte has come
    assert small.asked == []


def test_a_body_may_take_long_when_it_comes_steadily(small: Small) -> None:
    parts = [b"a" * 600] * 8
    reply = talk(small.address, post(CLOSE, b"Content-Length: 4800\r\n"), *parts, pause=TIMEOUT / 3)
    assert reply.statuses == [200]
    assert small.asked == [("/a", b"".join(parts))]


def test_waiting_for_the_disconnect_has_no_time_limit(small: Small) -> None:
    with connection(small.address) as opened:
        opened.sendall(length(2, b"hi", target=b"/wait"))
        assert listen(opened, 2 * TIMEOUT).raw == b""
    time.sleep(0.1)
    assert small.asked == [("/wait", b"hi"), ("http.disconnect", b"")]
