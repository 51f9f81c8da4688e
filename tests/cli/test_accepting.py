"""Connections that come at once are taken at once, also by a server that is busy with others."""

import asyncio
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import uvloop

from argosy.cli import accepting
from argosy.cli.accepting import Taker
from argosy.cli.listening import listen
from tests.support.servers import ServerProcess

IN_A_TURN, TURNS = 32, 5
SOMAXCONN = Path("/proc/sys/net/core/somaxconn")
SMALL = 256


class Greeter(asyncio.Protocol):
    """Says hello, once it has a connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(b"hello")  # type: ignore[attr-defined] # uvloop's transport is of no class of asyncio's


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listen("127.0.0.1", 0) as opened:
        yield opened


@pytest.fixture
def run() -> Callable[..., None]:
    return uvloop.run


def connected(listener: socket.socket, stack: ExitStack, count: int) -> list[socket.socket]:
    return [stack.enter_context(socket.create_connection(listener.getsockname(), 5)) for _ in range(count)]


def test_all_that_wait_are_taken_within_a_few_turns(
    listener: socket.socket, run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "MOST_IN_A_TURN", IN_A_TURN)

    async def main() -> None:
        taker = Taker(listener, Greeter, None, 1.0)
        taker.take_all()
        for _ in range(TURNS + 3):
            await asyncio.sleep(0)
        taker.close()
        await taker.settle()

    with ExitStack() as stack:
        clients = connected(listener, stack, IN_A_TURN * TURNS)
        run(main())
        assert [client.recv(5) for client in clients] == [b"hello"] * len(clients)


def test_a_client_that_says_no_hello_does_not_hold_up_the_end(
    listener: socket.socket, run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "SETTLE_SECONDS", 0.1)

    async def main() -> None:
        taker = Taker(listener, Greeter, ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), 60.0)
        taker.take_all()
        taker.close()
        async with asyncio.timeout(5):
            await taker.settle()

    with ExitStack() as stack:
        (client,) = connected(listener, stack, 1)
        run(main())
        assert client.recv(5) == b"", "it is let go of"


def test_those_that_come_while_the_server_does_nothing_are_answered(tmp_path: Path) -> None:
    count = 2500  # more than uvicorn lets wait unless it is told to
    if int(SOMAXCONN.read_text()) < count:
        pytest.skip(f"this system lets only {SOMAXCONN.read_text().strip()} connections wait")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * count)), hard))
    process = ServerProcess(tmp_path / "data")
    process.start()
    host, port = process.url.removeprefix("http://").split(":")
    with ExitStack() as stack:
        os.kill(process.pid, signal.SIGSTOP)
        waiting = [stack.enter_context(socket.create_connection((host, int(port)), 0.9)) for _ in range(count)]
        for one in waiting:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        os.kill(process.pid, signal.SIGCONT)
        for one in waiting:
            one.settimeout(20)
            assert one.recv(2**16).startswith(b"HTTP/1.1 200 ")
    assert process.stop() == 0


def test_a_server_may_have_more_connections_than_the_usual_limit() -> None:
    told = (
        "import resource\n"
        "from argosy.cli.listening import allow_connections\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({SMALL}, hard))\n"
        "allow_connections()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
    )
    ran = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert int(ran.stdout) > SMALL
