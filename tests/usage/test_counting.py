"""What a call counts as: answered in a bucket of latency, refused or failed; and whatever wrote it, exactly once."""

import asyncio
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from argosy import migrations
from argosy.kit.clock import today
from argosy.kit.db.session import Database
from argosy.kit.ids import new_id
from argosy.kit.principal import PrincipalKind
from argosy.serving.errors import Overloaded
from argosy.usage.journal import Entry, Failure, Journal
from argosy.usage.models import UsageRecord
from argosy.usage.service import Meter
from tests.support.callers import Caller
from tests.support.models import pushed

ROW = {"width": 3.0, "height": 4.0}
MODEL = "/models/owner/sizes/predict"


async def counted(caller: Caller, attempts: int, path: str = "/usage?group_by=model") -> dict[str, Any]:
    """Usage, once as many calls are in it."""
    found: dict[str, Any] = {}
    for _ in range(200):
        found = (await caller.get(path)).json()
        if found["calls"] + found["refused"] + found["errors"] >= attempts:
            break
        await asyncio.sleep(0.02)
    return found


def entry(caller: Caller, **fields: Any) -> Entry:
    known: dict[str, Any] = {
        "day": today(),
        "organization_id": UUID(caller.organization_id),
        "principal_kind": PrincipalKind.API_KEY,
        "principal_id": UUID(caller.key_id),
        "model_id": UUID(int=7),
        "model": "owner/sizes",
        "version": 1,
        "rows": 2,
    }
    return Entry(**(known | fields))


async def test_each_way_that_a_call_ends_is_counted_as_what_it_is(app: FastAPI, owner: Caller) -> None:
    await pushed(owner, "sizes")
    headers = {"Authorization": f"Bearer {owner.key}"}
    bodies: list[dict[str, Any]] = [
        {"rows": [ROW]},
        {"rows": [ROW, ROW]},
        {"rows": [{"width": 1.0}]},
        {"rows": []},
        {"wrong": 1},
    ]
    for body in bodies:
        await owner.post(MODEL, json=body, headers=headers)
    lines = b'{"width": 1.0, "height": 1.0}\n{"width": "x"}\n'
    streamed = await owner.post(f"{MODEL}/stream", content=lines, headers=headers)
    assert streamed.status_code == 200, streamed.text
    tensor = {"name": "width", "shape": [1], "datatype": "FP32", "data": [1.0]}
    assert (await owner.post("/v2/models/sizes/infer", json={"inputs": [tensor]})).status_code == 422
    assert (await owner.post("/v1/embeddings", json={"model": "sizes", "input": "x"})).status_code == 422
    assert (await owner.post("/models/owner/none/predict", json={"rows": [ROW]})).status_code == 404
    found = await counted(owner, 9)
    assert (found["calls"], found["rows"], found["refused"], found["errors"]) == (3, 4, 6, 0)
    assert sum(found["latency"]["buckets"]) == found["latency"]["timed"] == 3
    assert found["items"][0]["latency"] == found["latency"]
    assert found["error_rate"] == 0


async def test_what_the_server_could_not_do_is_an_error(
    app: FastAPI, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pushed(owner, "sizes")

    async def full(*_: object, **__: object) -> None:
        raise Overloaded

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    for failing, status in ((full, 503), (broken, 500)):
        with monkeypatch.context() as patch:
            patch.setattr(app.state.serving, "lane", failing)
            assert (await owner.post(MODEL, json={"rows": [ROW]})).status_code == status
    assert (await owner.post(MODEL, json={"rows": [ROW]})).status_code == 200
    found = await counted(owner, 3)
    assert (found["calls"], found["refused"], found["errors"]) == (1, 0, 2)
    assert found["error_rate"] == pytest.approx(2 / 3)


async def test_what_is_counted_by_the_fast_path_and_beside_it_is_the_same(app: FastAPI, owner: Caller) -> None:
    await pushed(owner, "sizes")
    headers = {"Authorization": f"Bearer {owner.key}", "X-Request-Timeout-Ms": "1"}
    fast = {"Authorization": f"Bearer {owner.key}"}
    statuses = []
    for number in range(30):
        bad = number % 3 == 0
        body = {"rows": [{"width": "x"}]} if bad else {"rows": [ROW]}
        statuses.append((await owner.post(MODEL, json=body, headers=fast)).status_code)
    assert statuses.count(422) == 10
    overdue = [(await owner.post(MODEL, json={"rows": [ROW]}, headers=headers)).status_code for _ in range(3)]
    found = await counted(owner, 33)
    failed = sum(status >= 500 for status in overdue)
    assert (found["calls"], found["refused"], found["errors"]) == (20 + 3 - failed, 10, failed)
    assert found["latency"]["timed"] == found["calls"]


@pytest.mark.parametrize(("status", "kind"), [(400, "refused"), (422, "refused"), (429, "errors"), (503, "errors")])
def test_a_status_is_the_callers_affair_or_not(status: int, kind: str) -> None:
    assert Failure.of(status).value == kind


async def test_calls_of_a_product_are_counted_apart(app: FastAPI, owner: Caller) -> None:
    meter: Meter = app.state.meter
    product, other = new_id(), new_id()
    for which, count in ((None, 1), (product, 2), (other, 3), (None, 4), (product, 5)):
        for _ in range(2):  # added to what is there
            meter.record(entry(owner, product_id=which, outcome="ms_5").line() * count)
            await meter.flush()
    found = (await owner.get("/usage?group_by=product")).json()
    assert {item["product_id"]: item["calls"] for item in found["items"]} == {
        None: 10,
        str(product): 14,
        str(other): 6,
    }
    only = (await owner.get(f"/usage?product={product}")).json()
    assert [(item["product_id"], item["calls"], item["rows"]) for item in only["items"]] == [(str(product), 14, 28)]
    assert only["latency"]["p50"] == {"ms": 3.5, "above_ms": 2.0, "up_to_ms": 5.0}


@pytest.mark.parametrize(("suffix", "newer"), [("usage", 3), ("calls", 1)])
async def test_segments_of_releases_before_are_counted(
    app: FastAPI, owner: Caller, tmp_path: Path, suffix: str, newer: int
) -> None:
    folder = tmp_path / "data" / "usage"
    former = entry(owner).line().rstrip(b"\n").rsplit(b"\t", newer)[0] + b"\n"
    (folder / f"{new_id()}.{suffix}").write_bytes(former * 3)
    await app.state.meter.flush()
    found = (await owner.get("/usage")).json()
    assert (found["calls"], found["rows"], found["latency"]) == (3, 6, None)


def test_releases_before_do_not_find_what_they_cannot_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(b"x\n")
    assert [*tmp_path.glob("*.usage"), *tmp_path.glob("*.calls")] == []
    journal.rotate()
    assert len(journal.abandoned()) == 1


@pytest.mark.parametrize("outcome", ["", "ms_1", "ms_more", "refused", "errors"])
def test_a_line_is_read_as_it_was_written(outcome: str) -> None:
    who = (date(2026, 1, 2), UUID(int=1), PrincipalKind.USER, UUID(int=2))
    for product, item in ((None, None), (UUID(int=3), None), (UUID(int=3), UUID(int=8)), (None, UUID(int=8))):
        given = Entry(*who, UUID(int=4), "a/b", 5, 6, outcome, product, item)
        assert Entry.parse(given.line().decode().rstrip("\n")) == given


def test_a_line_with_a_counter_that_is_none_is_not_read() -> None:
    line = "2026-01-02\t" + "\t".join([UUID(int=1).hex, "user", UUID(int=2).hex, UUID(int=4).hex, "a/b", "5", "6"])
    assert Entry.parse(f"{line}\t\t\t").rows == 6
    for outcome in ("calls", "organization_id", "ms_3"):
        with pytest.raises(ValueError, match="no counter"):
            Entry.parse(f"{line}\t{outcome}\t\t")


async def test_a_downgrade_keeps_calls_and_rows(app: FastAPI, owner: Caller) -> None:
    meter: Meter = app.state.meter
    for product in (None, new_id(), new_id()):
        meter.record(entry(owner, product_id=product).line() * 2)
    meter.record(entry(owner, version=2).line())
    await meter.flush()
    database: Database = app.state.database
    await migrations.downgrade(database, "0011")
    columns = [UsageRecord.version, UsageRecord.calls, UsageRecord.rows]
    async with database.read() as session:
        rows = (await session.execute(select(*columns).order_by(UsageRecord.version))).all()
    assert [tuple(row) for row in rows] == [(1, 6, 12), (2, 1, 2)]
    await migrations.upgrade(database)
    assert (await owner.get("/usage")).json()["calls"] == 7
