"""The real server's connections: slow bodies, large heads and idle clients, over bare sockets."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from argosy.cli.connections import MAX_FIELDS
from tests.support.servers import ServerProcess
from tests.support.sockets import CLOSE, connection, get, is_refused, listen, talk

JSON = b"Content-Type: application/json\r\n"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """`argosy up` with short times."""
    process = ServerProcess(
        tmp_path_factory.mktemp("connections") / "data",
        ARGOSY_NETWORK_HEAD_TIMEOUT="0.5",
        ARGOSY_NETWORK_BODY_TIMEOUT="0.5",
    )
    process.start()
    url = urlsplit(process.url)
    yield url.hostname or "", url.port or 0
    assert process.stop() == 0


@pytest.mark.parametrize(
    ("line", "body"),
    [(b"POST /api/v1/auth/register HTTP/1.1", JSON + b"Content-Length: 9\r\n\r\n{"),
     (b"POST /api/v1/auth/token HTTP/1.1", FORM + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n")],
)  # fmt: skip
def test_the_server_answers_a_slow_body_with_a_problem(real: tuple[str, int], line: bytes, body: bytes) -> None:
    reply = talk(real, line + b"\r\nHost: localhost\r\n" + body)
    assert is_refused(reply, 408)
    assert reply.problem["type"] == "urn:argosy:problem:request-timeout"
    assert reply.problem["request_id"] == reply.headers["x-request-id"]


def test_the_server_bounds_heads(real: tuple[str, int]) -> None:
    assert is_refused(talk(real, b"GET /healthz HTTP/1.1\r\n"), 408)
    reply = talk(real, get(b"X: a\r\n" * MAX_FIELDS, target=b"/healthz?secret=1"))
    assert is_refused(reply, 431)
    assert reply.problem["instance"] == "/healthz"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in talk(real, get(CLOSE, target=b"/healthz")).headers


def test_idle_connections_do_not_keep_others_from_being_served(real: tuple[str, int]) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(connection(real)) for _ in range(300)]
        for opened in idle[::2]:
            opened.sendall(b"GET /healthz HTTP/1.1\r\nHost:")
        reply = talk(real, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert reply.statuses == [200]
        assert reply.seconds < 1
        assert re.search(rb'"alive"', reply.raw)
        time.sleep(0.6)
        assert all(listen(opened, 0.5).closed for opened in idle)
