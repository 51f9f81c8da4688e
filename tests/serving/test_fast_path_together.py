"""The fast path as middleware: requests of one turn of the event loop enter together, and nothing of them stays."""

import asyncio
import gc

import httpx2
import pytest
from fastapi import FastAPI

from argosy.serving.answers import Call
from argosy.serving.runtime import OnnxRuntime
from tests.serving.test_fast_path import call, warmed
from tests.support.callers import Caller
from tests.support.models import pushed

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ROWS = [[[1.0, 2]], [[3, 4], [5, 6]], [["x", 2]], [[7, 8]]]


async def test_what_comes_in_one_turn_runs_together(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pushed(owner)
    await warmed(app, client, owner.key)
    alone = [await call(client, owner.key, {"data": rows}) for rows in ROWS]
    runs: list[int] = []
    run = OnnxRuntime.run

    def counted(runtime: OnnxRuntime, tensors: object, rows: int, cancel: object = None) -> object:
        runs.append(rows)
        return run(runtime, tensors, rows, cancel)  # type: ignore[arg-type]

    monkeypatch.setattr(OnnxRuntime, "run", counted)
    together = await asyncio.gather(*(call(client, owner.key, {"data": rows}) for rows in ROWS))
    assert runs == [4]
    assert [one.status_code for one in together] == [one.status_code for one in alone] == [200, 200, 422, 200]
    for one, other in zip(together, alone, strict=True):
        assert one.json().get("predictions") == other.json().get("predictions")
        assert one.json()["request_id"] == one.headers["x-request-id"]
        assert len(one.content) == int(one.headers["content-length"])
    good = [one.headers for one in together if one.status_code == httpx2.codes.OK]
    assert len({headers["x-request-id"] for headers in good}) == len(good)
    assert len({headers["ratelimit-remaining"] for headers in good}) == 1, "they were counted together"


async def test_calls_are_not_left_to_the_garbage_collector(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    await pushed(owner)
    await warmed(app, client, owner.key)
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            assert (await call(client, owner.key)).status_code == httpx2.codes.OK
        assert not [one for one in gc.get_objects() if type(one) is Call]
    finally:
        gc.enable()
