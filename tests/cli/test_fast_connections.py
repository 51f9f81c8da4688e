"""Predictions answered inside the connection: in order, whole, and as the application would answer them.

The same holds where plain uvicorn has the connection, and takes an answer written in one piece.
"""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from argosy.client import Argosy
from argosy.serving.turnstile import LARGE_BYTES
from tests.support.callers import PASSWORD
from tests.support.models import classifier_sample, linear_classifier
from tests.support.servers import ServerProcess, plain_uvicorn
from tests.support.sockets import connection, talk


@dataclass
class Sizes:
    """A model on a real server, and how to ask it over a bare socket."""

    client: Argosy
    address: tuple[str, int]

    def request(self, body: Any, *more: str, path: str = "", key: str | None = None) -> bytes:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [
            f"POST /api/v1/models/{self.client.organization}/sizes/predict{path} HTTP/1.1",
            f"Host: {self.address[0]}:{self.address[1]}",
            f"Authorization: Bearer {key or self.client._api_key}",
            "Content-Type: application/json",
            f"Content-Length: {len(content)}",
            *more,
        ]
        return "\r\n".join([*lines, "", ""]).encode() + content

    def row(self, number: float) -> bytes:
        return self.request({"data": [[number, 0.0]]})


@pytest.fixture(scope="module", params=["argosy up", "uvicorn"])
def url(request: pytest.FixtureRequest, server: ServerProcess) -> Iterator[str]:
    if request.param == "uvicorn":
        with plain_uvicorn(server.data_dir) as plain:
            yield plain
    else:
        yield server.url


@pytest.fixture(scope="module")
def sizes(url: str, server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Sizes:
    client = server.new_client()
    path: Path = tmp_path_factory.mktemp("model") / "sizes.onnx"
    path.write_bytes(linear_classifier())
    client.push(path, name="sizes", sample=classifier_sample()["inputs"])
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    found = Sizes(client, (parts.hostname, parts.port))
    for _ in range(5):
        with talking(found.address) as opened:
            for _ in range(20):
                opened.exchange(found.row(1))
        time.sleep(0.05)
    return found


class Talk:
    """A connection, and the answers that come on it one after the other."""

    def __init__(self, opened: socket.socket) -> None:
        opened.settimeout(5)
        self._opened = opened
        self._raw = b""

    def send(self, data: bytes) -> None:
        self._opened.sendall(data)

    def exchange(self, request: bytes) -> tuple[int, Any]:
        self.send(request)
        return self.receive()

    def receive(self) -> tuple[int, Any]:
        while b"\r\n\r\n" not in self._raw:
            self._more()
        head, _, self._raw = self._raw.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        assert length
        size = int(length[1])
        while len(self._raw) < size:
            self._more()
        body, self._raw = self._raw[:size], self._raw[size:]
        return int(head[9:12]), json.loads(body)

    def _more(self) -> None:
        got = self._opened.recv(65536)
        assert got, "the server closed"
        self._raw += got


@contextmanager
def talking(address: tuple[str, int]) -> Iterator[Talk]:
    with connection(address) as opened:
        yield Talk(opened)


def large(answer: Any) -> float:
    found: float = answer["predictions"][0]["probabilities"]["large"]
    return found


def test_answers_come_in_the_order_of_pipelined_requests(sizes: Sizes) -> None:
    numbers = [float(number) / 4 for number in range(20)]
    health = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    requests = [sizes.row(number) for number in numbers]
    with talking(sizes.address) as opened:
        alone = [large(opened.exchange(request)[1]) for request in requests]
        opened.send(b"".join([*requests[:8], health, *requests[8:]]))
        answers = [opened.receive() for _ in range(21)]
    assert {status for status, _ in answers} == {200}
    assert "predictions" not in answers.pop(8)[1]
    assert [large(answer) for _, answer in answers] == alone == sorted(alone)
    assert len(set(alone)) > 10


@pytest.mark.parametrize("step", [1, 7, 64, 300])
def test_a_request_may_come_in_pieces(sizes: Sizes, step: int) -> None:
    whole = sizes.row(0.5)
    with talking(sizes.address) as opened:
        expected = opened.exchange(whole)[1]
        for start in range(0, len(whole), step):
            opened.send(whole[start : start + step])
            time.sleep(0.0005)
        status, answer = opened.receive()
        assert (status, answer["predictions"]) == (200, expected["predictions"])
        # The head in one piece, the body in two, and the next request on its heels.
        cut = len(whole) - 6
        opened.send(whole[:cut])
        time.sleep(0.05)
        opened.send(whole[cut:] + sizes.row(0.25))
        assert opened.receive()[1]["predictions"] == expected["predictions"]
        assert large(opened.receive()[1]) < large(expected)
    with talking(sizes.address) as opened:
        opened.send(whole + whole[:40])
        assert opened.receive()[1]["predictions"] == expected["predictions"]
        opened.send(whole[40:])
        assert opened.receive()[1]["predictions"] == expected["predictions"]


def test_what_is_refused_is_told_and_the_connection_goes_on(sizes: Sizes) -> None:
    with talking(sizes.address) as opened:
        for _ in range(2):
            status, answer = opened.exchange(sizes.request({"data": [["wide", 1]]}))
            assert (status, answer["errors"][0]["loc"]) == (422, ["data", 0, 0])
            assert opened.exchange(sizes.request(b"{"))[0] == 400
            assert opened.exchange(sizes.request({"data": [[1, 2]]}, path="?version=99"))[0] == 404
            assert opened.exchange(sizes.request({"data": [[1, 2]]}, key="ak_nonsense"))[0] == 401
            assert opened.exchange(sizes.row(1))[0] == 200


def test_an_id_of_ones_own_and_the_fields_of_every_answer(sizes: Sizes) -> None:
    reply = talk(sizes.address, sizes.request({"data": [[1, 2]]}, "X-Request-ID: mine-7"), seconds=0.3)
    assert reply.headers["x-request-id"] == "mine-7"
    assert {"date", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "x-content-type-options"} <= set(
        reply.headers
    )
    closing = talk(sizes.address, sizes.request({"data": [[1, 2]]}, "Connection: close"), seconds=2)
    assert closing.statuses == [200]
    assert closing.closed


def test_a_key_that_was_revoked_is_refused_on_an_open_connection(sizes: Sizes, url: str, server: ServerProcess) -> None:
    owner = server.new_client()
    assert owner.organization
    person = Argosy(url, username=owner.organization, password=PASSWORD)
    path = Path(server.data_dir.parent / "again.onnx")
    path.write_bytes(linear_classifier())
    owner.push(path, name="sizes", sample=classifier_sample()["inputs"])
    mine = Sizes(owner, sizes.address)
    made = person.create_api_key("short-lived", ["predict"])
    with talking(sizes.address) as opened:
        for _ in range(20):
            assert opened.exchange(mine.request({"data": [[1, 2]]}, key=made.key))[0] == 200
        person.revoke_api_key(made.id)
        assert opened.exchange(mine.request({"data": [[1, 2]]}, key=made.key))[0] == 401


def test_many_connections_at_once_get_their_own_answers(sizes: Sizes) -> None:
    wrong: list[tuple[float, float]] = []

    def caller(start: int) -> None:
        with talking(sizes.address) as opened:
            for turn in range(150):
                number = ((start * 37 + turn) % 200) / 40
                found = large(opened.exchange(sizes.row(number))[1])
                if found != expected[number]:
                    wrong.append((number, found))

    with talking(sizes.address) as opened:
        expected = {number / 40: large(opened.exchange(sizes.row(number / 40))[1]) for number in range(200)}
    threads = [threading.Thread(target=caller, args=(start,)) for start in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_large_bodies_get_their_own_answers_while_some_callers_go(sizes: Sizes) -> None:
    def body(rows: int) -> dict[str, Any]:
        return {"data": [[row / rows, rows / 10_000] for row in range(rows)]}

    counts = [1200 + 10 * number for number in range(12)]
    requests = [sizes.request(body(count)) for count in counts]
    assert min(map(len, requests)) > LARGE_BYTES
    with talking(sizes.address) as opened:
        expected = [opened.exchange(request)[1]["predictions"] for request in requests]
        broken = body(1500)
        broken["data"][700] = [1.0]
        status, problem = opened.exchange(sizes.request(broken))
        assert (status, problem["errors"][0]["loc"][:2]) == (422, ["data", 700])
    with ExitStack() as stack:
        talks = [stack.enter_context(talking(sizes.address)) for _ in requests]
        for one, request in zip(talks, requests, strict=True):
            with talking(sizes.address) as leaving:
                leaving.send(request)
            one.send(request)
        answers = [one.receive() for one in talks]
        assert [status for status, _ in answers] == [200] * len(requests)
        assert [answer["predictions"] for _, answer in answers] == expected
        # One with a deadline goes another way, to the same answer.
        assert talks[0].exchange(sizes.request(body(counts[0]), "X-Request-Timeout-Ms: 5000"))[0] == 200
        # The connection goes on, with a small request and a large one on its heels.
        talks[0].send(sizes.row(1) + requests[0])
        assert talks[0].receive()[0] == 200
        assert talks[0].receive()[1]["predictions"] == expected[0]
