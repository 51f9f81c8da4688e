"""Requests that came about the same time are counted, read and run together, and none hinders another."""

import asyncio
import json
import time
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from argosy.serving.answers import Call
from argosy.serving.batching import Lane
from argosy.serving.door import HELD_SECONDS, MOST_TURNS, Access, Door
from argosy.serving.fast_path import FastPath
from argosy.serving.heads import Head
from tests.serving.test_fast_path import BODY, PATH, warmed
from tests.support.callers import Caller
from tests.support.models import pushed, sizes_of_runs

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Visitor:
    """A request that keeps what becomes of it."""

    def __init__(self, access: Access, body: object) -> None:
        self.access = access
        self.body = json.dumps(body).encode()
        self.head = Head(PATH, "argosy.test", "", len(self.body), None)
        self.call: Call | None = None
        self.results: list[bytes | Exception] = []
        self.sent: list[str] = []

    def reply(self, call: Call, result: bytes | Exception) -> None:
        assert call is self.call
        self.results.append(result)

    def go_alone(self) -> None:
        self.sent.append("alone")

    def go_the_long_way(self) -> None:
        self.sent.append("the long way")

    def predictions(self) -> list[object]:
        (result,) = self.results
        assert isinstance(result, bytes), result
        predictions: list[object] = json.loads(result)["predictions"]
        return predictions


async def turns(count: int = MOST_TURNS) -> None:
    """Let the event loop make so many turns."""
    for _ in range(count):
        await asyncio.sleep(0)


async def known(app: FastAPI, client: httpx2.AsyncClient, owner: Caller) -> tuple[FastPath, Access, Door]:
    """Return what is known of a caller that was let in before."""
    await pushed(owner)
    await warmed(app, client, owner.key)
    fast: FastPath = app.state.fast
    access = fast.find(Head(PATH, "argosy.test", owner.key, 1, None))
    assert access is not None
    assert access.door is not None
    return fast, access, access.door


async def test_each_has_its_own_answer_and_a_wrong_one_goes_another_way(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, access, door = await known(app, client, owner)
    runs = sizes_of_runs(monkeypatch)
    before = access.allowance.take_all(0.0, 0)
    bodies = [{"data": [[3.0, 4]]}, {"data": [["x", 4]]}, {"data": [[5, 6], [7, 8]]}, {"data": [[1.5, 0]]}]
    visitors = [Visitor(access, body) for body in bodies]
    for visitor in visitors:
        door.knock(access, visitor)
    assert not any(visitor.results for visitor in visitors)
    await turns()
    good = [visitors[at] for at in (0, 2, 3)]
    assert runs == [4]
    assert visitors[1].sent == ["the long way"]
    assert visitors[1].call is None
    for visitor in good:
        alone = (await client.post(PATH, content=visitor.body, headers=owner_headers(owner))).json()
        assert visitor.predictions() == alone["predictions"]
        assert visitor.sent == []
    left = [visitor.call.standing.remaining for visitor in good if visitor.call and visitor.call.standing]
    assert before is not None
    assert left == [before.remaining - len(visitors)] * 3


def owner_headers(owner: Caller) -> dict[str, str]:
    return {"Authorization": f"Bearer {owner.key}", "Content-Type": "application/json"}


async def test_one_by_itself_does_not_wait_for_others(app: FastAPI, client: httpx2.AsyncClient, owner: Caller) -> None:
    _, access, door = await known(app, client, owner)
    visitor = Visitor(access, BODY)
    door.knock(access, visitor)
    await turns(1)
    assert visitor.predictions()


async def test_those_who_follow_each_other_enter_together(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, access, door = await known(app, client, owner)
    monkeypatch.setattr("argosy.serving.door.HELD_SECONDS", 60)
    runs = sizes_of_runs(monkeypatch)
    visitors = [Visitor(access, BODY) for _ in range(2 * (MOST_TURNS + 2))]
    for first, second in zip(visitors[::2], visitors[1::2], strict=True):
        door.knock(access, first)
        door.knock(access, second)
        await turns(1)
    await turns()
    assert runs == [2 * (MOST_TURNS + 1), 2], "the door is not held for ever"


async def test_a_turn_that_took_long_is_the_last(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, access, door = await known(app, client, owner)
    runs = sizes_of_runs(monkeypatch)
    for _ in range(2):
        door.knock(access, Visitor(access, BODY))
    time.sleep(HELD_SECONDS)  # noqa: ASYNC251 - as something does that keeps the event loop
    await turns(1)
    assert runs == [2]


async def test_who_is_no_longer_believed_goes_alone(app: FastAPI, client: httpx2.AsyncClient, owner: Caller) -> None:
    _, access, door = await known(app, client, owner)
    access.ends = 0.0
    visitors = [Visitor(access, BODY) for _ in range(3)]
    for visitor in visitors:
        door.knock(access, visitor)
    await turns()
    assert [visitor.sent for visitor in visitors] == [["alone"]] * 3


async def test_a_defect_met_by_one_that_goes_alone_keeps_nobody_out(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, access, door = await known(app, client, owner)
    access.ends = 0.0
    visitors = [Visitor(access, BODY) for _ in range(3)]
    heard: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: heard.append(context))

    def broken() -> None:
        raise RuntimeError

    monkeypatch.setattr(visitors[0], "go_alone", broken)
    for visitor in visitors:
        door.knock(access, visitor)
    await turns()
    loop.set_exception_handler(None)  # other tests have the same loop
    assert [visitor.sent for visitor in visitors] == [[], ["alone"], ["alone"]]
    assert [type(context["exception"]) for context in heard] == [RuntimeError]


async def test_more_than_is_held_of_the_limit_goes_alone_and_is_not_counted(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, access, door = await known(app, client, owner)
    monkeypatch.setattr(access.allowance, "_left", 2)
    visitors = [Visitor(access, BODY) for _ in range(3)]
    for visitor in visitors:
        door.knock(access, visitor)
    await turns()
    assert [visitor.sent for visitor in visitors] == [["alone"]] * 3
    standing = access.allowance.take_all(0.0, 2)
    assert standing is not None


async def test_who_leaves_before_it_is_let_in_is_nobodys_call(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    _, access, door = await known(app, client, owner)
    stays, leaves = Visitor(access, BODY), Visitor(access, BODY)
    door.knock(access, leaves)
    access.leave(leaves)
    door.knock(access, stays)
    access.leave(leaves)
    await turns()
    assert (leaves.call, leaves.results, leaves.sent) == (None, [], [])
    assert stays.predictions()


async def test_what_finds_no_room_is_refused_and_the_others_wait(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, access, door = await known(app, client, owner)
    lane = access.lane
    assert isinstance(lane, Lane)
    monkeypatch.setattr(lane, "_most_waiting", 2)
    monkeypatch.setattr(Lane, "_is_quick", lambda *_: False)
    visitors = [Visitor(access, BODY) for _ in range(3)]
    for visitor in visitors:
        door.knock(access, visitor)
    await turns()
    assert [len(visitor.results) for visitor in visitors] == [0, 0, 1]
    assert "too many requests wait" in str(visitors[2].results[0])
    async with asyncio.timeout(5):
        while not all(visitor.results for visitor in visitors):  # noqa: ASYNC110 - what answers them is not ours
            await asyncio.sleep(0.01)
    assert visitors[0].predictions() == visitors[1].predictions()
