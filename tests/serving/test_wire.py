"""An answer in one piece is what two messages of ASGI make of it, and is written only where the server takes it so."""

import asyncio
import json
import logging
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from tests.serving.test_fast_path import BODY, PATH, warmed
from tests.support.callers import Caller
from tests.support.models import pushed

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
VARYING = {b"x-request-id", b"ratelimit-remaining", b"ratelimit-reset"}


class Connection(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.written.append(b"closed")

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Exchange:
    """A request in uvicorn's hands."""

    def __init__(self, key: str, body: Any = BODY, path: str = PATH, scheme: str = "http") -> None:
        content = json.dumps(body).encode()
        given = {
            "host": "argosy.test",
            "authorization": f"Bearer {key}",
            "content-type": "application/json",
            "content-length": str(len(content)),
        }
        scope: Any = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 9), "scheme": scheme, "root_path": "", "state": {},
            "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }  # fmt: skip
        self.connection = Connection()
        self.flow = FlowControl(self.connection)
        self.event = asyncio.Event()
        self.event.set()
        self.completed = 0
        self.cycle = RequestResponseCycle(
            scope, self.connection, self.flow, logging.getLogger("uvicorn"), logging.getLogger("nobody"),
            access_log=False, default_headers=[(b"date", b"today")], message_event=self.event,
            expect_100_continue=False, keep_alive=True, on_response=self._complete,
        )  # fmt: skip
        self.cycle.body, self.cycle.more_body = bytearray(content), False

    def _complete(self) -> None:
        self.completed += 1

    async def run(self, app: FastAPI, *, known: bool = True) -> list[bytes]:
        """Return what was written; where the server is not known, uvicorn is what it is not known to be."""

        async def application(scope: Any, receive: Any, send: Any) -> None:
            async def unknown(message: Any) -> None:
                await send(message)

            await app(scope, receive, send if known else unknown)

        await self.cycle.run_asgi(application)
        return self.connection.written


def parsed(written: list[bytes]) -> tuple[bytes, dict[bytes, bytes], Any]:
    head, _, body = b"".join(written).partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    fields = dict(line.split(b": ", 1) for line in lines)
    assert len(fields) == len(lines), "each field once"
    assert len(body) == int(fields.pop(b"content-length"))
    return status, fields, body


async def ready(app: FastAPI, client: httpx2.AsyncClient, owner: Caller) -> None:
    await pushed(owner)
    await warmed(app, client, owner.key)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_one_piece_is_what_two_messages_make(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, scheme: str
) -> None:
    await ready(app, client, owner)
    for _ in range(2):  # the second time, what is alike in both is known
        whole, apart = Exchange(owner.key, scheme=scheme), Exchange(owner.key, scheme=scheme)
        written, told = await whole.run(app), await apart.run(app, known=False)
        assert (len(written), len(told)) == (1, 2)
        (status, fields, body), (its_status, its_fields, its_body) = parsed(written), parsed(told)
        assert status == its_status == b"HTTP/1.1 200 OK"
        assert set(fields) == set(its_fields)
        assert {name for name in fields if fields[name] != its_fields[name]} <= VARYING
        assert (b"strict-transport-security" in fields) == (scheme == "https")
        assert json.loads(body)["predictions"] == json.loads(its_body)["predictions"]
        assert json.loads(body)["request_id"].encode() == fields[b"x-request-id"]
        for exchange in (whole, apart):
            assert exchange.completed == 1
            assert exchange.cycle.response_complete
            assert exchange.event.is_set(), "who waits for the caller to go is told"


async def test_bytes_of_the_inference_protocol_too(app: FastAPI, client: httpx2.AsyncClient, owner: Caller) -> None:
    await ready(app, client, owner)
    path = "/v2/models/sizes/infer"
    body = {
        "inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP32", "data": [3.0, 4.0]}],
        "parameters": {"binary_data_output": True},
    }
    written: list[bytes] = []
    for _ in range(100):  # until it is known
        written = await Exchange(owner.key, body, path).run(app)
        if len(written) == 1:
            break
        await asyncio.sleep(0.02)
    _, fields, content = parsed(written)
    _, its_fields, its_content = parsed(await Exchange(owner.key, body, path).run(app, known=False))
    assert fields[b"content-type"] == b"application/octet-stream"
    assert set(fields) == set(its_fields)
    assert content == its_content
    assert int(fields[b"inference-header-content-length"]) == content.index(b"]}") + 2


@pytest.mark.parametrize("what", ["logged", "closes", "is not read", "another release"])
async def test_where_it_is_not_taken_so_there_are_two(
    app: FastAPI,
    client: httpx2.AsyncClient,
    owner: Caller,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    await ready(app, client, owner)
    caplog.set_level(logging.INFO, "nobody")
    exchange = Exchange(owner.key)
    if what == "logged":
        exchange.cycle.access_log = True
    elif what == "closes":
        exchange.cycle.keep_alive = False
    elif what == "another release":
        monkeypatch.setattr("argosy.serving.protocols.wire.IS_KNOWN", False)
    else:
        exchange.flow.pause_writing()
        asyncio.get_running_loop().call_later(0.05, exchange.flow.resume_writing)
    written = await exchange.run(app)
    assert len(written) == (3 if what == "closes" else 2)
    assert written[2:] == ([b"closed"] if what == "closes" else [])
    logged = [record.getMessage() for record in caplog.records if record.name == "nobody"]
    assert [line.rpartition(" ")[2] for line in logged] == (["200"] if what == "logged" else [])
    status, fields, _ = parsed(written[:2])
    assert status == b"HTTP/1.1 200 OK"
    assert (b"connection" in fields) == (what == "closes")


async def test_nothing_is_written_to_who_has_gone(app: FastAPI, client: httpx2.AsyncClient, owner: Caller) -> None:
    await ready(app, client, owner)
    exchange = Exchange(owner.key)
    receive = exchange.cycle.receive

    async def then_gone() -> Any:
        message = await receive()
        exchange.cycle.disconnected = True
        return message

    exchange.cycle.receive = then_gone  # type: ignore[method-assign]
    assert await exchange.run(app) == []
    assert exchange.completed == 0


async def test_what_is_wrong_is_told_as_ever(app: FastAPI, client: httpx2.AsyncClient, owner: Caller) -> None:
    await ready(app, client, owner)
    status, fields, body = parsed(await Exchange(owner.key, {"data": [["wide", 1]]}).run(app))
    assert status.startswith(b"HTTP/1.1 422")
    assert fields[b"content-type"] == b"application/problem+json"
    assert json.loads(body)["errors"][0]["loc"] == ["data", 0, 0]
