"""The fast path answers what the long way would, without the database, and stops believing what has changed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import event

from argosy.app import create_app
from argosy.kit.db.session import Database
from argosy.serving.batching import Lane
from argosy.settings import RatesSettings, Settings
from tests.support.callers import Caller
from tests.support.models import pushed, settled, sums, upload

PATH = "/api/v1/models/owner/sizes/predict"
BODY = {"data": [[3.0, 4]]}


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    if "strict" not in request.keywords:
        return settings
    return settings.model_copy(update={"rates": RatesSettings(predict=20)})


async def call(http: httpx2.AsyncClient, key: str, body: Any = BODY, path: str = PATH, **more: str) -> httpx2.Response:
    return await http.post(
        path, json=body, headers={"Authorization": f"Bearer {key}", "Connection": "keep-alive"} | more
    )


@contextmanager
def statements(app: FastAPI) -> Iterator[list[str]]:
    """Note every SQL statement but those of the loops in the background."""
    noted: list[str] = []
    database: Database = app.state.database

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "api_keys" in statement or "model" in statement:
            noted.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    yield noted
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def warmed(app: FastAPI, http: httpx2.AsyncClient, key: str, path: str = PATH, body: Any = BODY) -> None:
    """Call until the call is answered from memory."""
    for _ in range(100):
        with statements(app) as noted:
            assert (await call(http, key, body, path)).status_code == 200
        if not noted:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the call was never remembered")


async def from_memory(app: FastAPI, ask: Callable[[], Awaitable[httpx2.Response]]) -> httpx2.Response:
    """Ask until the answer comes without the database; what was remembered may be looked up again meanwhile."""
    for _ in range(20):
        with statements(app) as noted:
            answer = await ask()
        if not noted:
            return answer
    raise AssertionError("every call asked the database")


async def test_both_ways_answer_alike(app: FastAPI, client: httpx2.AsyncClient, owner: Caller) -> None:
    await pushed(owner)
    long = await owner.post("/models/owner/sizes/predict", json=BODY)  # a person's token goes the long way
    await warmed(app, client, owner.key)
    fast = await from_memory(app, lambda: call(client, owner.key, **{"X-Request-ID": "mine-1"}))
    assert fast.headers["x-request-id"] == fast.json()["request_id"] == "mine-1"
    assert fast.json().keys() == long.json().keys()
    assert fast.json()["predictions"] == long.json()["predictions"]
    assert set(fast.headers) == set(long.headers)
    for name in set(fast.headers) - {"content-length", "x-request-id", "ratelimit-remaining", "ratelimit-reset"}:
        assert fast.headers[name] == long.headers[name], name


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_inference_protocol_is_answered_alike_both_ways(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    await pushed(owner)
    path, tensor = "/v2/models/owner/sizes/infer", {"name": "X", "shape": [2, 2], "datatype": "FP32"}
    bodies: list[Any] = [
        {"inputs": [tensor | {"data": [3.0, 4, 1, 2.5]}]},
        {"id": "mine", "inputs": [tensor | {"data": [[3.0, 4], [1, 2.5]]}]},
        {"inputs": [tensor | {"data": [1, 2, 3, 4]}], "parameters": {"binary_data_output": True}},
    ]
    for body in bodies:
        await warmed(app, client, owner.key, path, body)
        fast = await from_memory(app, partial(call, client, owner.key, body, path))
        long = await owner.post(path, json=body)
        assert fast.content == long.content
        assert set(fast.headers) == set(long.headers)
        assert fast.headers["content-type"] == long.headers["content-type"]
    for wrong in ({"inputs": [tensor | {"data": [1, 2, 3]}]}, {"inputs": [tensor | {"data": [1, 2, 3, "x"]}]}):
        fast, long = await call(client, owner.key, wrong, path), await owner.post(path, json=wrong)
        assert fast.status_code == long.status_code == 422
        assert fast.json() | {"request_id": ""} == long.json() | {"request_id": ""}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_full_queue_is_told_the_same_both_ways(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pushed(owner)
    await warmed(app, client, owner.key)

    monkeypatch.setattr(Lane, "_take_in", lambda *_: False)
    monkeypatch.setattr(Lane, "_is_quick", lambda *_: False)
    fast = await from_memory(app, lambda: call(client, owner.key))
    long = await owner.post("/models/owner/sizes/predict", json=BODY)
    assert (fast.status_code, fast.headers["retry-after"]) == (503, "1")
    assert fast.json() | {"request_id": ""} == long.json() | {"request_id": ""}
    assert set(fast.headers) == set(long.headers)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_call_has_the_time_it_gives_itself(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pushed(owner)
    await warmed(app, client, owner.key)
    assert (await call(client, owner.key, **{"X-Request-Timeout-Ms": "5000"})).status_code == 200
    monkeypatch.setattr(Lane, "_start", lambda _: None)  # the model is never run
    fast = await from_memory(app, lambda: call(client, owner.key, **{"X-Request-Timeout-Ms": "20"}))
    long = await owner.post("/models/owner/sizes/predict", json=BODY, headers={"X-Request-Timeout-Ms": "20"})
    assert fast.status_code == long.status_code == 504
    assert fast.json() | {"request_id": ""} == long.json() | {"request_id": ""}
    refused = await call(client, owner.key, **{"X-Request-Timeout-Ms": "0"})
    assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, ["header", "X-Request-Timeout-Ms"])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_wrong_input_is_told_the_same(app: FastAPI, client: httpx2.AsyncClient, owner: Caller) -> None:
    await pushed(owner)
    await warmed(app, client, owner.key)
    for body, status in (({"data": [["x", 1]]}, 422), ({"rows": [{"width": 1}]}, 422), ({"data": []}, 422)):
        fast = await call(client, owner.key, body)
        long = await owner.post("/models/owner/sizes/predict", json=body)
        assert fast.status_code == long.status_code == status
        assert fast.json() | {"request_id": ""} == long.json() | {"request_id": ""}
    headers = {"Authorization": f"Bearer {owner.key}", "Content-Type": "application/json"}
    assert (await client.post(PATH, content=b"{", headers=headers)).status_code == 400
    assert (await client.post(PATH, content=b"", headers=headers)).status_code == 400
    headers["Content-Type"] = "text/plain"
    assert (await client.post(PATH, content=b'{"data": [[1, 2]]}', headers=headers)).status_code == 415


async def test_what_is_revoked_moved_or_deleted_is_so_at_the_next_call(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    await pushed(owner)
    await pushed(owner)
    await owner.put("/models/owner/sizes/aliases/live", json={"version": 2})
    await warmed(app, client, owner.key)
    assert (await call(client, owner.key)).json()["version"] == 2
    await owner.put("/models/owner/sizes/aliases/live", json={"version": 1})
    assert (await call(client, owner.key)).json()["version"] == 1
    await warmed(app, client, owner.key)
    await owner.delete("/models/owner/sizes/aliases/live")
    assert (await call(client, owner.key)).status_code == 409
    await owner.put("/models/owner/sizes/aliases/live", json={"version": 2})
    await warmed(app, client, owner.key)
    await owner.delete(f"/organizations/owner/api-keys/{owner.key_id}")
    assert (await call(client, owner.key)).status_code == 401


async def test_a_model_that_is_closed_again_is_gone_for_others(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, stranger: Caller
) -> None:
    await pushed(owner)
    assert [(await call(client, stranger.key)).status_code for _ in range(3)] == [404] * 3
    await owner.patch("/models/owner/sizes", json={"visibility": "public"})
    app.state.fast._learning.clear()
    await warmed(app, client, stranger.key)
    await owner.patch("/models/owner/sizes", json={"visibility": "private"})
    assert (await call(client, stranger.key)).status_code == 404


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_changes_of_one_model_leaves_the_others_known(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    await pushed(owner)
    await pushed(owner)
    await pushed(owner, "others")
    await settle(app)  # the outbox is looked at, and finds what was made of both
    infer = "/v2/models/sizes/infer"
    tensor = {"inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP32", "data": [3.0, 4]}]}
    await warmed(app, client, owner.key)
    await warmed(app, client, owner.key, infer, tensor)

    await owner.put("/models/owner/others/aliases/live", json={"version": 1})
    await owner.patch("/models/owner/others", json={"visibility": "public"})
    await owner.put("/models/owner/others/deployment", json={"traffic": [{"alias": "live", "weight": 1}]})
    await settle(app)
    with statements(app) as noted:
        assert (await call(client, owner.key)).status_code == 200
        assert (await call(client, owner.key, tensor, infer)).status_code == 200
    assert noted == []

    await owner.put("/models/owner/sizes/aliases/live", json={"version": 2})
    with statements(app) as noted:
        assert (await call(client, owner.key)).json()["version"] == 2
        assert (await call(client, owner.key, tensor, infer)).json()["model_version"] == "2"
    assert noted


async def settle(app: FastAPI) -> None:
    """Have the outbox looked at now, which finds this process's own events too, and not in a second."""
    await app.state.fast.freshness.look()


@pytest.fixture
async def elsewhere(app: FastAPI, settings: Settings) -> AsyncIterator[tuple[FastAPI, httpx2.AsyncClient]]:
    """Another server on the same database."""
    other = create_app(settings)
    async with (
        other.router.lifespan_context(other),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=other), base_url="http://argosy.test") as http,
    ):
        yield other, http


async def test_another_process_learns_of_it_within_two_seconds(
    app: FastAPI, elsewhere: tuple[FastAPI, httpx2.AsyncClient], owner: Caller
) -> None:
    await pushed(owner)
    other, http = elsewhere
    await warmed(other, http, owner.key)
    await pushed(owner)
    await warmed(other, http, owner.key)
    await owner.put("/models/owner/sizes/aliases/live", json={"version": 2})
    await asyncio.sleep(2)
    assert (await call(http, owner.key)).json()["version"] == 2
    await owner.delete(f"/organizations/owner/api-keys/{owner.key_id}")
    await asyncio.sleep(2)
    assert (await call(http, owner.key)).status_code == 401


@pytest.mark.strict
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_limit_is_exact(app: FastAPI, client: httpx2.AsyncClient, owner: Caller) -> None:
    await pushed(owner)
    answers = []
    for _ in range(10):
        answers += await asyncio.gather(*(call(client, owner.key) for _ in range(4)))
        await asyncio.sleep(0.02)
    statuses = [answer.status_code for answer in answers]
    # A share that was taken in advance, and is not used in time, is not given back.
    assert 18 <= statuses.count(200) <= 20
    assert statuses.count(429) == 40 - statuses.count(200)
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["retry-after"]) > 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_every_answered_call_is_counted(app: FastAPI, client: httpx2.AsyncClient, owner: Caller) -> None:
    await pushed(owner)
    await warmed(app, client, owner.key)
    before = (await owner.get("/usage")).json()["calls"]
    for _ in range(60):
        await asyncio.sleep(0.05)
        if (now := (await owner.get("/usage")).json()["calls"]) == before:
            break
        before = now
    bodies = [{"data": [[float(number), 1.0]] * (1 + number % 3)} for number in range(200)]
    answers = await asyncio.gather(*(call(client, owner.key, body) for body in bodies))
    assert {answer.status_code for answer in answers} == {200}
    assert [len(answer.json()["predictions"]) for answer in answers] == [1 + number % 3 for number in range(200)]
    for _ in range(100):
        if (await owner.get("/usage")).json()["calls"] == before + 200:
            break
        await asyncio.sleep(0.05)
    assert (await owner.get("/usage")).json()["calls"] == before + 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_mixed_calls_while_versions_are_swapped_are_all_right(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    """Every answer is that of the version it names."""
    sample = {"inputs": {"a": [1.0, 2.0], "b": [0.5, 0.5], "kind": ["x", "y"]}}
    fields: set[str] = set()
    for name in ("one", "two"):
        await owner.post("/models", json={"name": name})
        for number in (1, 2):
            weighted = {**sample, "outputs": {"total": [1.5 * number, 2.5 * number]}}
            await upload(owner, name, sums(float(number)), weighted)
            ready = await settled(owner, name, number)
            assert ready["status"] == "ready", ready["error"]
            fields = {feature["name"] for feature in ready["signature"]["inputs"]}
    stop, wrong, done = asyncio.Event(), [], 0

    async def caller(name: str, start: int) -> None:
        nonlocal done
        number = start
        while not stop.is_set():
            number += 7
            row = {key: value for key, value in {"a": number, "b": 0.25, "kind": "x"}.items() if key in fields}
            answer = await call(client, owner.key, {"rows": [row]}, f"/api/v1/models/owner/{name}/predict")
            shown = answer.json()
            expected = (number + 0.25) * shown.get("version", 0)
            if answer.status_code != 200 or shown["predictions"] != [{"total": [expected]}]:
                wrong.append((name, number, answer.text))
            done += 1

    calling = [asyncio.create_task(caller(name, start)) for name in ("one", "two") for start in range(4)]
    for turn in range(6):
        await asyncio.sleep(0.1)
        await owner.put(f"/models/owner/{'one' if turn % 2 else 'two'}/aliases/live", json={"version": 1 + turn % 2})
    stop.set()
    await asyncio.gather(*calling)
    assert wrong == []
    assert done > 100


@pytest.mark.strict
async def test_a_burst_beyond_what_is_counted_in_advance_waits_for_the_count(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    await pushed(owner)
    await warmed(app, client, owner.key)
    with statements(app) as noted:
        answers = await asyncio.gather(*(call(client, owner.key) for _ in range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert not [one for one in noted if one.startswith("SELECT")], "some went the long way"
