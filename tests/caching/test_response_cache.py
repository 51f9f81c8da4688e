"""Response caching: the same answers again, for the same input of the same version, as long as the owner says."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2
import numpy as np
import pytest
from fastapi import FastAPI

from argosy.caching.cache import ResponseCache, key_of
from argosy.events.freshness import Freshness
from argosy.serving.runtime import OnnxRuntime
from argosy.signature.tensors import Batch
from tests.serving.test_fast_path import call, warmed
from tests.support.callers import Caller
from tests.support.models import pushed

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PATH = "/models/owner/sizes"


async def turn(caller: Caller, **fields: Any) -> httpx2.Response:
    return await caller.put(f"{PATH}/response-cache", json={"enabled": True} | fields)


async def test_an_answer_is_given_again_without_running_the_model(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pushed(owner)
    await warmed(app, client, owner.key)
    assert "x-cache" not in (await call(client, owner.key)).headers
    assert (await turn(owner)).status_code == 200
    missed = await call(client, owner.key, {"data": [[3.0, 4], [0.1, 0.2]]})
    assert missed.headers["x-cache"] == "miss"

    runs = 0
    original = OnnxRuntime.run

    def counted(self: OnnxRuntime, *arguments: Any) -> Any:
        nonlocal runs
        runs += 1
        return original(self, *arguments)

    monkeypatch.setattr(OnnxRuntime, "run", counted)
    before = (await owner.get("/usage")).json()["rows"]
    hit = await call(client, owner.key, {"columns": {"height": [4, 0.2], "width": [3, 0.1]}})
    assert (runs, hit.headers["x-cache"]) == (0, "hit")
    different = {"id", "latency_ms", "request_id"}
    assert {key: value for key, value in hit.json().items() if key not in different} == {
        key: value for key, value in missed.json().items() if key not in different
    }
    assert hit.json().keys() == missed.json().keys()
    assert hit.json()["id"] != missed.json()["id"]
    other = await call(client, owner.key, {"data": [[3.0, 4.5], [0.1, 0.2]]})
    assert (runs > 0, other.headers["x-cache"]) == (True, "miss")
    for _ in range(100):
        if (await owner.get("/usage")).json()["rows"] >= before + 4:
            break
        await asyncio.sleep(0.05)
    assert (await owner.get("/usage")).json()["rows"] >= before + 4


@on_sqlite
async def test_every_call_is_still_checked(client: httpx2.AsyncClient, owner: Caller, stranger: Caller) -> None:
    await pushed(owner)
    await turn(owner)
    for _ in range(2):
        await call(client, owner.key)
    assert (await call(client, "ak_wrong")).status_code == 401
    assert (await call(client, stranger.key)).status_code == 404
    assert (await call(client, owner.key, {"data": [["x", 1]]})).status_code == 422


@on_sqlite
async def test_another_version_or_revision_has_answers_of_its_own(client: httpx2.AsyncClient, owner: Caller) -> None:
    await pushed(owner)
    await turn(owner)
    assert [(await call(client, owner.key)).headers["x-cache"] for _ in range(2)] == ["miss", "hit"]
    await owner.patch(f"{PATH}/versions/1", json={"features": {"width": {"maximum": 10}}})
    assert (await call(client, owner.key)).headers["x-cache"] == "miss"
    await pushed(owner)
    await owner.put(f"{PATH}/aliases/live", json={"version": 2})
    answer = await call(client, owner.key)
    assert (answer.headers["x-cache"], answer.json()["version"]) == ("miss", 2)
    await turn(owner, enabled=False)
    assert "x-cache" not in (await call(client, owner.key)).headers


@on_sqlite
async def test_answers_grow_old(client: httpx2.AsyncClient, owner: Caller) -> None:
    await pushed(owner)
    await turn(owner, ttl_seconds=1)
    assert [(await call(client, owner.key)).headers["x-cache"] for _ in range(2)] == ["miss", "hit"]
    await asyncio.sleep(1.1)
    assert (await call(client, owner.key)).headers["x-cache"] == "miss"
    assert (await turn(owner, ttl_seconds=0)).status_code == 422


@on_sqlite
async def test_the_room_is_bounded_and_what_was_used_longest_ago_goes(app: FastAPI) -> None:
    cache = ResponseCache(app.state.database, Freshness(app.state.database), 10_000)
    for number in range(20):
        cache.put(bytes([number]), b"x" * 800, 60)
        cache.get(b"\x00")
    assert [number for number in range(20) if cache.get(bytes([number]))] == [0, *range(11, 20)]
    cache.put(b"large", b"x" * 5000, 60)
    assert cache.get(b"large") is None


def test_inputs_that_differ_have_keys_that_differ() -> None:
    version = UUID(int=1)
    arrays = [
        np.array([[1.0, 2.0]]),
        np.array([[1.0], [2.0]]),
        np.array([[1.0, 2.0]], dtype=np.float32),
        np.array([["ab", "c"]], dtype=object),
        np.array([["a", "bc"]], dtype=object),
    ]
    keys = {key_of(version, revision, Batch({"X": array}, 1)) for array in arrays for revision in (1, 2)}
    assert len(keys) == 10
