"""What a WebSocket's client may do to the server: not read, ping without end, or wait while there is enough to do."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from argosy.cli.websocket_connections import GuardedWebSocket
from tests.support.sockets import connection

PING_SECONDS = 0.3
BUSY_SECONDS = 4 * PING_SECONDS
PING = b"\x89\xfd\x00\x00\x00\x00" + b"x" * 125  # masked with zeros


@dataclass
class Talker:
    """An application that is busy for a while between two frames, or sends without end."""

    ended: list[str] = field(default_factory=list)
    address: tuple[str, int] = ("", 0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            if scope["path"] == "/endless":
                while True:
                    await send({"type": "websocket.send", "bytes": b"-" * 2**16})
                    await asyncio.sleep(0)
            while (message := await receive())["type"] == "websocket.receive":
                await asyncio.sleep(BUSY_SECONDS if scope["path"] == "/busy" else 0)
                await send({"type": "websocket.send", "text": message["text"]})
        finally:
            self.ended.append(scope["path"])

    async def has_ended(self, path: str) -> bool:
        for _ in range(100):
            if path in self.ended:
                return True
            await asyncio.sleep(0.05)
        return False

    def url(self, path: str) -> str:
        return f"ws://{self.address[0]}:{self.address[1]}{path}"


@pytest.fixture(scope="module")
def talker() -> Iterator[Talker]:
    with serving(PING_SECONDS) as app:
        yield app


@contextmanager
def serving(ping: float | None) -> Iterator[Talker]:
    app = Talker()
    config = uvicorn.Config(
        app,
        port=0,
        ws=GuardedWebSocket,
        ws_max_size=2**20,
        ws_ping_interval=ping,
        ws_ping_timeout=ping,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
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


def upgraded(opened: socket.socket, path: str) -> None:
    opened.sendall(
        b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % path.encode()
    )
    assert opened.recv(2**10).startswith(b"HTTP/1.1 101 ")


async def test_a_pong_that_waits_behind_requests_is_not_missed(talker: Talker) -> None:
    async with connect(talker.url("/busy"), proxy=None) as opened:
        for text in ("a", "b"):
            await opened.send(text)
        assert [await opened.recv() for _ in range(2)] == ["a", "b"]


async def test_a_client_that_answers_no_pings_is_closed(talker: Talker) -> None:
    def silent() -> bytes:
        with connection(talker.address) as opened:
            upgraded(opened, "/silent")
            opened.settimeout(5)
            heard = b""
            while got := opened.recv(2**10):
                heard += got
            return heard

    heard = await asyncio.to_thread(silent)
    assert b"\x03\xf3keepalive ping timeout" in heard, "1011"
    assert await talker.has_ended("/silent")


async def test_a_client_that_never_reads_is_let_go(talker: Talker) -> None:
    with connection(talker.address) as opened:
        upgraded(opened, "/endless")
        assert await talker.has_ended("/endless")


def test_pings_without_end_are_not_read_when_the_answers_are_not() -> None:
    with serving(None) as talker, connection(talker.address) as opened:
        upgraded(opened, "/flood")
        opened.settimeout(1)
        with pytest.raises(TimeoutError):
            for _ in range(500):  # 64 MB
                opened.sendall(PING * 1000)


async def test_what_is_broken_is_told_although_more_is_sent(talker: Talker) -> None:
    wrong: list[tuple[Any, int]] = [([""] * 5000, 1008), (["x" * 2**19] * 8, 1009)]
    for fragments, code in wrong:
        async with connect(talker.url("/wrong"), proxy=None) as opened:
            with suppress(ConnectionClosed):
                await opened.send(fragments)
            with pytest.raises(ConnectionClosed):
                await opened.recv()
            assert opened.close_code == code
