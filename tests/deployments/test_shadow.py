"""Shadow traffic: another version is asked too, and its answers are compared and not given."""

import asyncio
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi import FastAPI

from argosy.serving.shadow import differences
from tests.deployments.test_traffic import BODY, MODEL, PATH, answered_by, deploy, two_versions
from tests.serving.test_fast_path import call, warmed
from tests.support.callers import Caller


async def report(owner: Caller, calls: int) -> dict[str, Any]:
    """Return today's comparison once it has all calls."""
    items: list[dict[str, Any]] = []
    for _ in range(100):
        items = (await owner.get(f"{MODEL}/deployment/shadow")).json()["items"]
        if items and items[0]["calls"] >= calls:
            return items[0]
        await asyncio.sleep(0.05)
    raise AssertionError(items)


async def test_a_shadow_is_asked_and_compared(owner: Caller, client: httpx2.AsyncClient) -> None:
    await two_versions(owner)
    await deploy(owner, shadow={"version": 2})
    for _ in range(20):
        assert answered_by(await call(client, owner.key, BODY, PATH)) == 1
    same = await call(client, owner.key, {"rows": [{"a": 0, "b": 0}, {"a": 1, "b": 1}]}, PATH)
    assert same.status_code == 200
    tensors = [{"name": name, "shape": [1, 1], "datatype": "FP64", "data": [0.0]} for name in ("a", "b")]
    assert (await call(client, owner.key, {"inputs": tensors}, "/v2/models/total/infer")).status_code == 200
    found = await report(owner, 22)
    assert (found["version"], found["shadow_version"], found["errors"]) == (1, 2, 0)
    assert (found["calls"], found["rows"]) == (22, 23)
    # All but the rows of zeros, which every version answers alike.
    assert found["different_rows"] == 21
    assert found["largest_difference"] == 7.0
    usage = await owner.get("/usage?group_by=version")
    assert {item["version"] for item in usage.json()["items"]} <= {1}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_shadow_that_fails_fails_nobody(
    app: FastAPI, owner: Caller, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two_versions(owner)
    await deploy(owner, shadow={"version": 2, "sample_rate": 1})

    async def broken(*_: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(app.state.serving.mirror, "_run", broken)
    for _ in range(5):
        assert answered_by(await call(client, owner.key, BODY, PATH)) == 1
    assert (await report(owner, 5))["errors"] == 5


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_shadow_that_is_slow_holds_nobody_up(
    app: FastAPI, owner: Caller, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two_versions(owner)
    await deploy(owner, shadow={"version": 2})
    never = asyncio.Event()
    monkeypatch.setattr(app.state.serving.mirror, "_run", lambda *_: never.wait())
    monkeypatch.setattr("argosy.serving.shadow.MOST_WAITING", 3)
    await warmed(app, client, owner.key, PATH, BODY)
    async with asyncio.timeout(10):
        await asyncio.gather(*(call(client, owner.key, BODY, PATH) for _ in range(30)))


def test_differences_are_those_beyond_rounding() -> None:
    one = {"label": np.array(["a", "b"], dtype=object), "p": np.array([[0.5, 0.5], [0.1, 0.9]], np.float32)}
    close = {"label": one["label"], "p": one["p"] + np.float32(1e-7)}
    other = {"label": np.array(["a", "c"], dtype=object), "p": one["p"] + np.float32(0.25)}
    rows, largest = differences(one, close, 2) or (-1, -1.0)
    assert rows == 0
    assert largest == pytest.approx(1e-7, rel=1)
    rows, largest = differences(one, other, 2) or (-1, -1.0)
    assert rows == 2
    assert largest == pytest.approx(0.25)
    assert differences(one, {"p": one["p"]}, 2) is None
    assert differences({"p": one["p"]}, {"p": one["p"][:, :1]}, 2) is None
    nan = {"p": np.array([[np.nan]])}
    assert differences(nan, nan, 1) == (0, 0.0)
