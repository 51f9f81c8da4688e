"""When the SDK tries again, how long it waits, and what it raises."""

import asyncio
import time
from typing import Any

import httpx2
import pytest

from argosy.client import Argosy, ArgosyAPIError, ArgosyConnectionError, asynchronous
from argosy.client.payloads import prediction_body


class Server:
    """Answers in turn, and notes what it was asked."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


MODEL = {
    "id": "0192f7b0-0000-7000-8000-000000000000",
    "name": "m",
    "full_name": "o/m",
    "visibility": "private",
    "last_version": 0,
    "revision": 1,
}


def client(server: Server, monkeypatch: pytest.MonkeyPatch) -> tuple[Argosy, list[float]]:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    made = Argosy("http://argosy.test", api_key="ak_x", organization="o")
    made._http = httpx2.Client(transport=httpx2.MockTransport(server))
    return made, slept


def test_it_waits_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(httpx2.Response(503, headers={"Retry-After": "7"}), httpx2.Response(200, json=MODEL))
    argosy, slept = client(server, monkeypatch)
    assert argosy.model("m").full_name == "o/m"
    assert slept == [7.0]


def test_a_creating_call_is_repeated_with_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(httpx2.ConnectError("away"), httpx2.Response(201, json=MODEL))
    argosy, slept = client(server, monkeypatch)
    argosy.create_model("m")
    keys = {request.headers["idempotency-key"] for request in server.requests}
    assert (len(server.requests), len(keys), len(slept)) == (2, 1, 1)


def test_a_prediction_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(httpx2.ConnectError("away"))
    argosy, slept = client(server, monkeypatch)
    with pytest.raises(ArgosyConnectionError, match="cannot reach"):
        argosy.predict("m", [{"x": 1}])
    assert (len(server.requests), slept) == (1, [])


def test_it_gives_up_and_raises_the_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = {"type": "urn:argosy:problem:unavailable", "detail": "busy", "request_id": "r1", "errors": []}
    server = Server(httpx2.Response(503, json=problem))
    argosy, slept = client(server, monkeypatch)
    with pytest.raises(ArgosyAPIError) as raised:
        argosy.model("m")
    assert (raised.value.status, raised.value.type, raised.value.detail) == (503, problem["type"], "busy")
    assert raised.value.request_id == "r1"
    assert len(slept) == len(server.requests) - 1 == 3
    server.answers = [httpx2.Response(500, text="<html>")]
    with pytest.raises(ArgosyAPIError, match="500"):
        argosy.model("m")


async def test_the_asynchronous_client_retries_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    server = Server(
        httpx2.ConnectError("away"),
        httpx2.Response(429, headers={"Retry-After": "2"}),
        httpx2.Response(200, json=MODEL),
    )
    made = asynchronous.AsyncArgosy("http://argosy.test", api_key="ak_x", organization="o")
    made._http = httpx2.AsyncClient(transport=httpx2.MockTransport(server))
    assert (await made.model("m")).name == "m"
    assert slept[1] == 2.0


@pytest.mark.parametrize(
    ("inputs", "body"),
    [
        ([{"a": 1}], b'{"rows":[{"a":1}]}'),
        ({"a": 1, "b": "x"}, b'{"rows":[{"a":1,"b":"x"}]}'),
        ({"a": [1, None]}, b'{"columns":{"a":[1,null]}}'),
        ([[1.0, 2.0]], b'{"data":[[1.0,2.0]]}'),
        ([1.0, float("nan")], b'{"data":[[1.0,null]]}'),
    ],
)
def test_inputs_of_every_kind(inputs: Any, body: bytes) -> None:
    assert prediction_body(inputs) == body
