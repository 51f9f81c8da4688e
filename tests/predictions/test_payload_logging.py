"""Payload logging: off unless an owner turns it on, redacted, sampled, kept as long as asked, and nobody else's."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update

from argosy.app import create_app
from argosy.kit.clock import now
from argosy.organizations.models import Membership
from argosy.predictions import recorder
from argosy.predictions.maintenance import forget_expired
from argosy.predictions.models import PredictionRecord
from argosy.settings import Settings
from tests.serving.test_fast_path import call, warmed
from tests.support.callers import Caller
from tests.support.models import echo, pushed, settled, upload

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PATH = "/models/owner/sizes"
ON = {"enabled": True}


async def turn(caller: Caller, **fields: Any) -> httpx2.Response:
    return await caller.put(f"{PATH}/payload-logging", json=ON | fields)


async def recorded(app: FastAPI, caller: Caller, query: str = "") -> list[dict[str, Any]]:
    await app.state.recorder.flush()
    answer = await caller.get(f"{PATH}/predictions?sort=created_at{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_nothing_is_recorded_until_an_owner_says_so_and_then_on_every_way(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    await pushed(owner)
    assert (await owner.get(f"{PATH}/payload-logging")).json()["enabled"] is False
    await warmed(app, client, owner.key)
    assert await recorded(app, owner) == []

    set_to = await turn(owner)
    assert (set_to.status_code, set_to.json()["sample_rate"], set_to.json()["retention_days"]) == (200, 1.0, 30)
    fast = await call(client, owner.key, {"data": [[0.1, 4], [1, 2]]}, **{"X-Request-ID": "mine-1"})
    long = await owner.post(f"{PATH}/predict", json={"rows": [{"width": 0.1, "height": 2}]})
    tensors = {"inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP32", "data": [0.25, 0.5]}]}
    assert (await owner.post("/v2/models/owner/sizes/infer", json=tensors)).status_code == 200
    lines = b'{"width": 5, "height": 6}\n[7, 8]\n'
    streamed = await owner.post(
        f"{PATH}/predict/stream", content=lines, headers={"Content-Type": "application/x-ndjson"}
    )
    assert streamed.status_code == 200

    first, second, third, *streams = await recorded(app, owner)
    assert first["id"] == fast.json()["id"]
    assert first["request_id"] == "mine-1"
    assert first["inputs"] == [{"width": 0.1, "height": 4.0}, {"width": 1.0, "height": 2.0}]
    assert first["outputs"] == fast.json()["predictions"]
    assert (first["principal_kind"], first["principal_id"]) == ("api_key", owner.key_id)
    assert (first["model"], first["version"], first["status"], first["rows"]) == ("owner/sizes", 1, 200, 2)
    assert first["latency_ms"] > 0
    assert second["id"] == long.json()["id"]
    assert (second["principal_kind"], second["principal_id"]) == ("user", owner.user_id)
    assert second["outputs"] == long.json()["predictions"]
    assert third["inputs"] == [{"width": 0.25, "height": 0.5}]
    assert third["outputs"][0]["label"] == "small"
    assert [row for one in streams for row in one["inputs"]] == [
        {"width": 5.0, "height": 6.0},
        {"width": 7.0, "height": 8.0},
    ]

    await turn(owner, enabled=False)
    await call(client, owner.key)
    assert len(await recorded(app, owner)) == 3 + len(streams)


async def test_redacted_fields_are_never_stored(app: FastAPI, client: httpx2.AsyncClient, owner: Caller) -> None:
    await pushed(owner)
    wrong = await turn(owner, redact=["width", "heigth"])
    assert (wrong.status_code, wrong.json()["errors"][0]["loc"]) == (422, ["body", "redact", 1])
    assert (await turn(owner, redact=["width"])).status_code == 200
    for body in ({"data": [[77.25, 4]]}, {"columns": {"height": [4], "width": [77.25]}}):
        assert (await call(client, owner.key, body)).status_code == 200
    for found in await recorded(app, owner):
        assert found["inputs"] == [{"width": "[redacted]", "height": 4.0}]
    async with app.state.database.read() as session:
        stored = list(await session.scalars(select(PredictionRecord.inputs)))
    assert len(stored) == 2
    assert "77.25" not in str(stored)


async def test_refused_calls_are_recorded_with_their_status_and_filtered(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    await pushed(owner)
    await turn(owner)
    await call(client, owner.key, {"data": [["x", 1]]})
    await call(client, owner.key)
    refused, answered = await recorded(app, owner)
    assert (refused["status"], refused["inputs"], refused["outputs"], refused["rows"]) == (422, None, None, 0)
    assert await recorded(app, owner, "&status=200") == [answered]
    assert await recorded(app, owner, "&version=2") == []
    assert await recorded(app, owner, f"&since={answered['created_at'].replace('+', '%2B')}") == [answered]
    assert await recorded(app, owner, f"&until={answered['created_at'].replace('+', '%2B')}") == [refused]
    page = (await owner.get(f"{PATH}/predictions?cursor=&size=1")).json()
    assert page["items"] == [answered]
    after = await owner.get(f"{PATH}/predictions?size=1&cursor={page['next_cursor']}")
    assert after.json() == {"items": [refused], "next_cursor": None}


@on_sqlite
async def test_a_share_of_the_calls_is_recorded(app: FastAPI, client: httpx2.AsyncClient, owner: Caller) -> None:
    await pushed(owner)
    await turn(owner, sample_rate=0.5)
    await warmed(app, client, owner.key)
    await asyncio.gather(*(call(client, owner.key) for _ in range(150)))
    await app.state.recorder.flush()
    total = (await owner.get(f"{PATH}/predictions")).json()["total"]
    assert 30 < total < 130


@on_sqlite
async def test_who_may_do_what(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    await pushed(owner)
    assert (await turn(stranger)).status_code == 404
    assert (await stranger.get(f"{PATH}/predictions")).status_code == 404
    await owner.patch(PATH, json={"visibility": "public"})
    await turn(owner)
    # Whoever calls a public model may know that calls are recorded, and no more.
    assert (await stranger.get(f"{PATH}/payload-logging")).json()["enabled"] is True
    assert (await turn(stranger)).status_code == 403
    assert (await stranger.get(f"{PATH}/predictions")).status_code == 403
    await stranger.post(f"{PATH}/predict", json={"data": [[1, 2]]})
    assert [one["principal_id"] for one in await recorded(app, owner)] == [stranger.user_id]
    async with app.state.database.write() as session:
        await session.execute(update(Membership).values(role="developer"))
    assert (await turn(owner)).json()["required_scope"] == "payloads:write"
    assert (await owner.get(f"{PATH}/predictions")).json()["required_scope"] == "payloads:read"


@on_sqlite
async def test_a_change_is_audited_and_guarded_by_its_etag(app: FastAPI, owner: Caller) -> None:
    await pushed(owner)
    first = await turn(owner, redact=["width"])
    assert first.headers["etag"] == '"1"'
    stale = await owner.put(f"{PATH}/payload-logging", json=ON, headers={"If-Match": '"0"'})
    assert stale.status_code == 412
    while await app.state.dispatcher.dispatch_due():
        pass
    entries = (await owner.get("/organizations/owner/audit?action=model.payload_logging_changed")).json()["items"]
    assert [(one["subject"], one["details"]["redact"]) for one in entries] == [("owner/sizes", ["width"])]


@on_sqlite
async def test_records_go_when_their_time_is_over_and_with_their_model(app: FastAPI, owner: Caller) -> None:
    await pushed(owner)
    await turn(owner, retention_days=7)
    for _ in range(2):
        await owner.post(f"{PATH}/predict", json={"data": [[1, 2]]})
    old, kept = await recorded(app, owner)
    async with app.state.database.write() as session:
        aged = update(PredictionRecord).where(PredictionRecord.status == 200)
        await session.execute(aged.values(created_at=now() - timedelta(days=6, hours=23)))
        await forget_expired(session)
    assert {one["id"] for one in await recorded(app, owner)} == {old["id"], kept["id"]}
    async with app.state.database.write() as session:
        await session.execute(aged.values(created_at=now() - timedelta(days=7, minutes=1)))
        await forget_expired(session)
    assert await recorded(app, owner) == []
    await owner.post(f"{PATH}/predict", json={"data": [[1, 2]]})
    await owner.delete(PATH)
    await app.state.recorder.flush()  # for a model that is gone
    assert app.state.metrics.registry.get_sample_value("argosy_predictions_unrecorded_total") == 0


@on_sqlite
async def test_when_the_buffer_is_full_records_are_dropped_and_counted(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pushed(owner)
    await turn(owner)
    monkeypatch.setattr(recorder, "MOST_ENTRIES", 3)
    monkeypatch.setattr(app.state.recorder, "flush", lambda: asyncio.sleep(0))
    await asyncio.gather(*(call(client, owner.key) for _ in range(10)))
    registry = app.state.metrics.registry
    assert registry.get_sample_value("argosy_predictions_unrecorded_total") == 7
    monkeypatch.undo()
    assert len(await recorded(app, owner)) == 3


@on_sqlite
async def test_what_is_too_large_is_recorded_without_its_payload(app: FastAPI, owner: Caller) -> None:
    await pushed(owner)
    await turn(owner)
    await owner.post(f"{PATH}/predict", json={"data": [[1, 2]] * 9000})
    (found,) = await recorded(app, owner)
    assert (found["rows"], found["inputs"], found["outputs"]) == (9000, None, None)


@on_sqlite
async def test_another_process_records_within_two_seconds(
    app: FastAPI, settings: Settings, client: httpx2.AsyncClient, owner: Caller
) -> None:
    await pushed(owner)
    other = create_app(settings)
    transport = httpx2.ASGITransport(app=other, raise_app_exceptions=False)
    async with (
        other.router.lifespan_context(other),
        httpx2.AsyncClient(transport=transport, base_url="http://argosy.test") as http,
    ):
        await warmed(other, http, owner.key)
        await turn(owner)
        await asyncio.sleep(2)
        await call(http, owner.key)
        await other.state.recorder.flush()
    assert len(await recorded(app, owner)) == 1


async def test_texts_of_any_kind_are_kept(app: FastAPI, owner: Caller) -> None:
    await owner.post("/models", json={"name": "sizes"})
    await upload(owner, "sizes", echo(), {"inputs": {"text": ["a", "b"]}, "outputs": {"said": ["a", "b"]}})
    ready = await settled(owner, "sizes")
    assert ready["status"] == "ready", ready["error"]
    await owner.patch(f"{PATH}/versions/1", json={"features": {"text": {"open": True}}})
    await turn(owner)
    answer = await owner.post(f"{PATH}/predict", json={"rows": [{"text": 'a " quote, \u2028 and \U0001f40c'}]})
    assert answer.status_code == 200, answer.text
    (found,) = await recorded(app, owner)
    assert found["inputs"] == [{"text": 'a " quote, \u2028 and \U0001f40c'}]
