"""Which version answers whom, as the model's deployment has it."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from argosy.deployments.schemas import Share
from argosy.serving.routes import chosen
from tests.serving.test_fast_path import call, from_memory, warmed
from tests.support.callers import Caller
from tests.support.models import settled, sums, upload

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
MODEL = "/models/owner/total"
PATH = f"/api/v1{MODEL}/predict"
BODY = {"rows": [{"a": 3.0, "b": 4.0}]}
SAMPLE = {"inputs": {"a": [1.0, 2.0], "b": [0.5, 0.5]}}


async def two_versions(owner: Caller) -> None:
    """Version n answers n * (a + b); version 1 is live."""
    await owner.post("/models", json={"name": "total"})
    for number in (1, 2):
        await upload(
            owner, "total", sums(float(number)), {**SAMPLE, "outputs": {"total": [1.5 * number, 2.5 * number]}}
        )
        ready = await settled(owner, "total", number)
        assert ready["status"] == "ready", ready["error"]
    assert (await owner.put(f"{MODEL}/aliases/live", json={"version": 1})).status_code == 200


async def deploy(caller: Caller, **fields: Any) -> httpx2.Response:
    return await caller.put(f"{MODEL}/deployment", json=fields)


def answered_by(answer: httpx2.Response) -> int:
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    number: int = shown["version"]
    assert shown["predictions"] == [{"total": [7.0 * number]}]
    return number


async def test_without_a_deployment_the_live_version_answers(owner: Caller, client: httpx2.AsyncClient) -> None:
    await two_versions(owner)
    shown = await owner.get(f"{MODEL}/deployment")
    assert shown.json()["traffic"] == [{"alias": "live", "version": None, "weight": 1.0}]
    assert shown.json()["revision"] == 0
    assert answered_by(await call(client, owner.key, BODY, PATH)) == 1


async def test_sessions_are_shared_out_by_weight_and_stay(
    app: FastAPI, owner: Caller, client: httpx2.AsyncClient
) -> None:
    await two_versions(owner)
    done = await deploy(owner, traffic=[{"alias": "live", "weight": 70}, {"version": 2, "weight": 30}])
    assert done.status_code == 200, done.text
    sessions = [f"session-{number}" for number in range(60)]

    async def ask(session: str) -> int:
        return answered_by(await call(client, owner.key, BODY, PATH, **{"X-Session-ID": session}))

    first = [await ask(session) for session in sessions]
    assert 8 <= Counter(first)[2] <= 30
    assert [await ask(session) for session in sessions] == first
    again = await from_memory(app, lambda: call(client, owner.key, BODY, PATH, **{"X-Session-ID": sessions[0]}))
    assert answered_by(again) == first[0]
    more = await deploy(owner, traffic=[{"alias": "live", "weight": 40}, {"version": 2, "weight": 60}])
    assert more.json()["revision"] == 2
    then = [await ask(session) for session in sessions]
    # Whoever had the version that gets more keeps it.
    assert all(after == 2 for before, after in zip(first, then, strict=True) if before == 2)
    assert Counter(then)[2] > Counter(first)[2]


@on_sqlite
async def test_a_caller_stays_with_a_version_over_every_protocol(owner: Caller, client: httpx2.AsyncClient) -> None:
    await two_versions(owner)
    await deploy(owner, traffic=[{"version": 1}, {"version": 2}])
    numbers = {answered_by(await call(client, owner.key, BODY, PATH)) for _ in range(5)}
    assert len(numbers) == 1
    tensors = [{"name": name, "shape": [1, 1], "datatype": "FP64", "data": [3.0]} for name in ("a", "b")]
    infer = await call(client, owner.key, {"inputs": tensors}, "/v2/models/total/infer")
    assert {int(infer.json()["model_version"])} == numbers
    lines = await owner.http.post(
        f"{PATH}/stream", content=b"[3, 4]\n", headers={"Authorization": f"Bearer {owner.key}"}
    )
    assert f'"version":{numbers.pop()}' in lines.text


@on_sqlite
async def test_what_is_asked_for_by_number_or_alias_answers(owner: Caller, client: httpx2.AsyncClient) -> None:
    await two_versions(owner)
    await deploy(owner, traffic=[{"version": 2}])
    assert answered_by(await call(client, owner.key, BODY, PATH)) == 2
    assert answered_by(await call(client, owner.key, BODY, f"{PATH}?version=1")) == 1
    assert answered_by(await call(client, owner.key, BODY, f"{PATH}?alias=live")) == 1
    assert (await owner.delete(f"{MODEL}/deployment")).status_code == 204
    assert answered_by(await call(client, owner.key, BODY, PATH)) == 1


WRONG: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "a version that is not there": ({"traffic": [{"version": 9}]}, ["body", "traffic", 0, "version"]),
    "an alias that is not there": ({"traffic": [{"alias": "none"}]}, ["body", "traffic", 0, "alias"]),
    "a shadow that is not there": ({"shadow": {"version": 9}}, ["body", "shadow", "version"]),
    "a policy for no version": ({"batching": {"versions": {"9": {}}}}, ["body", "batching", "versions", 9, "version"]),
    "a version and an alias": ({"traffic": [{"version": 1, "alias": "live"}]}, ["body", "traffic", 0]),
    "no weight at all": ({"traffic": [{"version": 1, "weight": 0}]}, ["body"]),
    "nothing": ({"traffic": []}, ["body", "traffic"]),
    "an unknown field": ({"traffc": []}, ["body", "traffc"]),
}


@on_sqlite
async def test_what_cannot_serve_is_refused_by_name(owner: Caller) -> None:
    await two_versions(owner)
    for fields, loc in WRONG.values():
        refused = await deploy(owner, **fields)
        assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, loc), refused.text
    assert (await owner.get(f"{MODEL}/deployment")).json()["revision"] == 0


@on_sqlite
async def test_two_who_change_it_at_once_do_not_undo_each_other(owner: Caller) -> None:
    await two_versions(owner)
    first = await deploy(owner, traffic=[{"version": 1}])
    etag = {"If-Match": first.headers["etag"]}
    assert (await owner.put(f"{MODEL}/deployment", json={}, headers=etag)).status_code == 200
    assert (await owner.put(f"{MODEL}/deployment", json={}, headers=etag)).status_code == 412
    assert (await owner.delete(f"{MODEL}/deployment", headers=etag)).status_code == 412


@on_sqlite
async def test_a_policy_bounds_batches_of_its_version(app: FastAPI, owner: Caller, client: httpx2.AsyncClient) -> None:
    await two_versions(owner)
    await deploy(owner, batching={"max_rows": 8, "versions": {"2": {"max_wait_ms": 30}}})
    answered_by(await call(client, owner.key, BODY, PATH))
    lanes = {lane.limits.rows: lane.limits.wait for lane in app.state.serving._placement._here.values()}
    assert lanes == {8: 0.0}
    loop = asyncio.get_running_loop()
    answered_by(await call(client, owner.key, BODY, f"{PATH}?version=2"))  # may load the version
    started = loop.time()
    answered_by(await call(client, owner.key, BODY, f"{PATH}?version=2"))
    assert loop.time() - started >= 0.03
    await warmed(app, client, owner.key, PATH, BODY)
    await deploy(owner, batching={"max_wait_ms": 30})
    for _ in range(3):  # the fast path holds to it too, with a model that was loaded before
        started = loop.time()
        answered_by(await call(client, owner.key, BODY, PATH))
        assert loop.time() - started >= 0.03


@on_sqlite
async def test_a_deployment_that_changes_under_load_fails_no_call(
    app: FastAPI, owner: Caller, client: httpx2.AsyncClient
) -> None:
    await two_versions(owner)
    await warmed(app, client, owner.key, PATH, BODY)
    stop, seen = asyncio.Event(), Counter[int]()

    async def ask(session: str) -> None:
        while not stop.is_set():
            seen[answered_by(await call(client, owner.key, BODY, PATH, **{"X-Session-ID": session}))] += 1

    calling = [asyncio.create_task(ask(f"session-{number}")) for number in range(8)]
    for turn in range(8):
        await asyncio.sleep(0.05)
        await deploy(owner, traffic=[{"version": 1 + turn % 2, "weight": 3}, {"version": 2 - turn % 2, "weight": 1}])
    stop.set()
    await asyncio.gather(*calling)
    assert min(seen[1], seen[2]) > 10


weights = st.lists(st.floats(0, 1e6), min_size=1, max_size=6).filter(lambda found: sum(found) > 0)


@given(weights, st.uuids(), st.text(max_size=20))
def test_a_share_without_weight_is_never_chosen(given_weights: list[float], model: Any, who: str) -> None:
    shares = [Share(version=number + 1, weight=weight) for number, weight in enumerate(given_weights)]
    assert chosen(shares, model, who).weight > 0


def test_shares_are_as_large_as_their_weights() -> None:
    shares = [Share(version=1, weight=0.1), Share(version=2, weight=0.6), Share(version=3, weight=0.3)]
    model = uuid4()
    found = Counter(chosen(shares, model, str(number)).version for number in range(5000))
    assert abs(found[1] / 5000 - 0.1) < 0.03
    assert abs(found[2] / 5000 - 0.6) < 0.04


async def test_deployments_of_others_are_not_there(owner: Caller, stranger: Caller) -> None:
    await two_versions(owner)
    missing = await stranger.get("/models/owner/none/deployment")
    for answer in (
        await stranger.get(f"{MODEL}/deployment"),
        await stranger.put(f"{MODEL}/deployment", json={}),
        await stranger.delete(f"{MODEL}/deployment"),
        await stranger.get(f"{MODEL}/deployment/shadow"),
    ):
        assert answer.status_code == missing.status_code == 404
    await owner.patch(MODEL, json={"visibility": "public"})
    assert (await stranger.get(f"{MODEL}/deployment")).status_code == 403
