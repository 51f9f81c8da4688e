"""The fast path as middleware of any ASGI server: what servers may leave out, and callers who go before the answer."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from argosy.serving.batching import Lane
from argosy.serving.queue import Ticket
from tests.serving.test_fast_path import BODY, PATH, statements, warmed
from tests.support.callers import Caller
from tests.support.models import pushed


def scope_of(caller: Caller, content: bytes) -> dict[str, Any]:
    """Return a request as a server gives it to an application."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "root_path": "",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "headers": [
            (b"host", b"argosy.test"),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
            (b"authorization", f"Bearer {caller.key}".encode()),
        ],
        "client": ("127.0.0.1", 9),
        "server": ("argosy.test", 80),
        "state": {},
    }


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[Ticket]:
    """What models are asked from now on: they are not run."""
    tickets: asyncio.Queue[Ticket] = asyncio.Queue()
    take_in = Lane._take_in

    def kept(lane: Lane, ticket: Ticket) -> bool:
        tickets.put_nowait(ticket)
        return take_in(lane, ticket)

    monkeypatch.setattr(Lane, "_take_in", kept)
    monkeypatch.setattr(Lane, "_is_quick", lambda *_: False)
    monkeypatch.setattr(Lane, "_start", lambda _: None)
    return tickets


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("how", ["hangs up", "is cancelled"])
async def test_nothing_is_run_for_a_caller_who_went(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, request: pytest.FixtureRequest, how: str
) -> None:
    await pushed(owner)
    await warmed(app, client, owner.key)
    held: asyncio.Queue[Ticket] = request.getfixturevalue("held")
    content, sent = json.dumps(BODY).encode(), []
    messages = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        if how == "is cancelled":
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asked = asyncio.ensure_future(app(scope_of(owner, content), receive, send))
    async with asyncio.timeout(5):
        ticket = await held.get()
    if how == "is cancelled":
        asked.cancel()
    await asyncio.wait({asked}, timeout=5)
    assert asked.cancelled() if how == "is cancelled" else isinstance(asked.exception(), ConnectionResetError)
    assert ticket.gone
    assert sent == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("given", [{"raw_path": None}, {"raw_path": b""}, {}])
async def test_a_server_need_not_give_the_path_as_it_came(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, given: dict[str, Any]
) -> None:
    await pushed(owner)
    await warmed(app, client, owner.key)
    content = json.dumps(BODY).encode()

    async def ask() -> list[Any]:
        scope, sent = scope_of(owner, content), []
        del scope["raw_path"]

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope | given, receive, send)
        return sent

    for _ in range(20):
        with statements(app) as noted:
            start, end = await ask()
        assert (start["status"], len(json.loads(end["body"])["predictions"])) == (200, 1)
        if not noted:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("every call asked the database")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("allowed", [None, b"60000"])
async def test_a_large_body_waits_for_its_turn_unless_it_has_a_deadline(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, monkeypatch: pytest.MonkeyPatch, allowed: bytes | None
) -> None:
    await pushed(owner)
    await warmed(app, client, owner.key)
    content = json.dumps({"data": [[3.0, 4.0]] * 2000}).encode()
    waited: list[int] = []

    async def turn(size: int) -> None:
        waited.append(size)

    monkeypatch.setattr(app.state.fast.turnstile, "turn", turn)
    scope, sent = scope_of(owner, content), []
    if allowed is not None:
        scope["headers"].append((b"x-request-timeout-ms", allowed))
    parts = [content[:10_000], content[10_000:]]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert (sent[0]["status"], len(json.loads(sent[1]["body"])["predictions"])) == (200, 2000)
    assert waited == ([len(content)] if allowed is None else [])
