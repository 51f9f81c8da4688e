"""The fast path as middleware: requests that come about the same time enter together, and nothing of them stays."""

import asyncio
import gc

import httpx2
import pytest
from fastapi import FastAPI

from argosy.serving.answers import Call
from argosy.serving.door import Access, Visitor
from argosy.serving.fast_path import FastPath
from argosy.serving.heads import Head
from tests.serving.test_fast_path import call, warmed
from tests.support.callers import Caller
from tests.support.models import pushed, sizes_of_runs

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ROWS = [[[1.0, 2]], [[3, 4], [5, 6]], [["x", 2]], [[7, 8]]]


async def test_what_comes_in_one_turn_runs_together(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pushed(owner)
    await warmed(app, client, owner.key)
    alone = [await call(client, owner.key, {"data": rows}) for rows in ROWS]
    runs = sizes_of_runs(monkeypatch)
    together: list[httpx2.Response] = []
    for _ in range(20):  # what is believed may run out meanwhile: then each goes alone
        runs.clear()
        together = await asyncio.gather(*(call(client, owner.key, {"data": rows}) for rows in ROWS))
        if runs == [4]:
            break
    assert runs == [4]
    assert [one.status_code for one in together] == [one.status_code for one in alone] == [200, 200, 422, 200]
    for one, other in zip(together, alone, strict=True):
        assert one.json().get("predictions") == other.json().get("predictions")
        assert one.json()["request_id"] == one.headers["x-request-id"]
        assert len(one.content) == int(one.headers["content-length"])
    good = [one.headers for one in together if one.status_code == httpx2.codes.OK]
    assert len({headers["x-request-id"] for headers in good}) == len(good)
    assert len({headers["ratelimit-remaining"] for headers in good}) == 1, "they were counted together"


async def test_who_is_cancelled_while_it_waits_hinders_nobody(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pushed(owner)
    await warmed(app, client, owner.key)
    fast: FastPath = app.state.fast
    (door,) = fast._doors.values()
    knock, waiting = door.knock, []

    def noted(access: Access, visitor: Visitor) -> None:
        knock(access, visitor)
        task = asyncio.current_task()
        assert task is not None
        waiting.append(task)
        if len(waiting) == 3:  # the others wait by the next turn; who comes then finds the opening cancelled
            asyncio.get_running_loop().call_soon(waiting[1].cancel)

    monkeypatch.setattr(door, "knock", noted)
    answers = await asyncio.gather(*(call(client, owner.key) for _ in range(4)), return_exceptions=True)
    gone = [one for one in answers if isinstance(one, asyncio.CancelledError)]
    good = [one for one in answers if isinstance(one, httpx2.Response) and one.status_code == httpx2.codes.OK]
    assert (len(gone), len(good)) == (1, 3)


def calls() -> list[Call]:
    return [one for one in gc.get_objects() if type(one) is Call]


async def test_calls_are_not_left_to_the_garbage_collector(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    await pushed(owner)
    await warmed(app, client, owner.key)
    gc.collect()
    others = calls()  # what tests before this one may still hold
    gc.disable()
    try:
        for _ in range(20):
            assert (await call(client, owner.key)).status_code == httpx2.codes.OK
        assert not [one for one in calls() if all(one is not other for other in others)]
    finally:
        gc.enable()


async def test_what_is_known_no_more_is_looked_up_once(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pushed(owner)
    await warmed(app, client, owner.key)
    looked: list[Head] = []
    look_up = FastPath._look_up

    async def noted(fast: FastPath, head: Head) -> Access | None:
        looked.append(head)
        return await look_up(fast, head)

    monkeypatch.setattr(FastPath, "_look_up", noted)
    await owner.delete(f"/organizations/owner/api-keys/{owner.key_id}")
    assert (await call(client, owner.key)).status_code == httpx2.codes.UNAUTHORIZED
    assert len(looked) == 1
