"""Typed predictions: the three forms, which version answers, what is refused, and what is metered."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from dirty_equals import IsFloat, IsStr, IsUUID
from fastapi import FastAPI

from argosy.settings import LimitsSettings
from tests.support.callers import Caller
from tests.support.models import pushed, settled, sums, upload

PATH = "/models/owner/sizes/predict"
ROW = {"width": 3.0, "height": 4}


async def test_rows_columns_and_data_answer_alike(owner: Caller) -> None:
    await pushed(owner)
    by_rows = await owner.post(PATH, json={"rows": [ROW, {"width": 0.1, "height": 0.2}]})
    by_columns = await owner.post(PATH, json={"columns": {"height": [4, 0.2], "width": [3.0, 0.1]}})
    by_data = await owner.post(PATH, json={"data": [[3.0, 4], [0.1, 0.2]]})

    assert by_rows.status_code == 200
    assert by_rows.json() == {
        "id": IsUUID(),
        "model": "owner/sizes",
        "version": 1,
        "predictions": [
            {"label": "large", "probabilities": {"small": IsFloat(lt=0.001), "large": IsFloat(gt=0.999)}},
            {"label": "small", "probabilities": {"small": IsFloat(gt=0.9), "large": IsFloat(lt=0.1)}},
        ],
        "latency_ms": IsFloat(gt=0),
        "request_id": IsStr(),
    }
    assert by_columns.json()["predictions"] == by_rows.json()["predictions"] == by_data.json()["predictions"]


MALFORMED: dict[str, tuple[bytes, int, str]] = {
    "not JSON": (b"{", 400, "body"),
    "empty body": (b"", 400, "body"),
    "not UTF-8": (b'{"rows": [{"width": "\xff"}]}', 400, "body"),
    "trailing garbage": (b'{"rows": [{"width": 1, "height": 1}]} x', 400, "body"),
    "NaN literal": (b'{"rows": [{"width": NaN, "height": 1}]}', 400, "body"),
    "Infinity literal": (b'{"rows": [{"width": Infinity, "height": 1}]}', 400, "body"),
    "a key twice": (b'{"rows": [{"width": 1, "width": 2, "height": 1}]}', 400, "body"),
    "a lone surrogate": (b'{"rows": [{"width": "\\ud800", "height": 1}]}', 400, "body"),
    "a million digits": (b'{"rows": [{"width": ' + b"9" * 1_000_000 + b', "height": 1}]}', 400, "body"),
    "10,000 levels deep": (b"[" * 10_000 + b"]" * 10_000, 400, "body"),
    "not an object": (b"[1, 2]", 422, "body"),
    "no form": (b"{}", 422, "body"),
    "two forms": (b'{"rows": [], "data": []}', 422, "body"),
    "unknown form": (b'{"instances": []}', 422, "instances"),
    "no rows": (b'{"rows": []}', 422, "rows"),
    "rows no list": (b'{"rows": 1}', 422, "rows"),
    "a row no object": (b'{"rows": [1]}', 422, "rows.0"),
    "missing field": (b'{"rows": [{"width": 1}]}', 422, "rows.0.height"),
    "unknown field": (b'{"rows": [{"width": 1, "height": 1, "depth": 1}]}', 422, "rows.0.depth"),
    "text for a number": (b'{"rows": [{"width": "1", "height": 1}]}', 422, "rows.0.width"),
    "true for a number": (b'{"rows": [{"width": true, "height": 1}]}', 422, "rows.0.width"),
    "null for a number": (b'{"rows": [{"width": null, "height": 1}]}', 422, "rows.0.width"),
    "list for a number": (b'{"rows": [{"width": [1], "height": 1}]}', 422, "rows.0.width"),
    "1e400": (b'{"rows": [{"width": 1e400, "height": 1}]}', 422, "rows.0.width"),
    "beyond float32": (b'{"rows": [{"width": 1e39, "height": 1}]}', 422, "rows.0.width"),
    "wrong in the second row": (
        b'{"rows": [{"width": 1, "height": 1}, {"width": 1, "height": "x"}]}',
        422,
        "rows.1.height",
    ),
    "columns of two lengths": (b'{"columns": {"width": [1, 2], "height": [1]}}', 422, "columns.height"),
    "a column no list": (b'{"columns": {"width": 1, "height": [1]}}', 422, "columns.width"),
    "a missing column": (b'{"columns": {"width": [1]}}', 422, "columns.height"),
    "a wrong value in a column": (b'{"columns": {"width": [1], "height": ["x"]}}', 422, "columns.height.0"),
    "too narrow a row of data": (b'{"data": [[1]]}', 422, "data.0"),
    "too wide a row of data": (b'{"data": [[1, 2, 3]]}', 422, "data.0"),
    "too many rows": (json.dumps({"data": [[1, 2]] * 11}).encode(), 413, "data"),
}


async def test_malformed_input_is_refused_with_the_field_named(
    app: FastAPI, owner: Caller, client: httpx2.AsyncClient
) -> None:
    app.state.settings = app.state.settings.model_copy(update={"limits": LimitsSettings(rows=10)})
    await pushed(owner)
    for name, (body, status, field) in MALFORMED.items():
        response = await owner.post(PATH, content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == status, (name, response.text)
        assert response.headers["content-type"] == "application/problem+json", name
        problem = response.json()
        assert ".".join(str(part) for part in problem["errors"][0]["loc"]) == field, (name, problem)
        assert len(response.content) < 16_384, name
    assert len(MALFORMED) >= 25


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
        ({"Content-Type": "application/json", "Authorization": "Bearer ak_wrong"}, 401),
        ({"Content-Type": "application/json", "Authorization": "Basic Zm9vOmJhcg=="}, 401),
        ({"Content-Type": "application/json", "Content-Length": "99999999"}, 413),
    ],
)
async def test_a_wrong_envelope_is_a_problem_document(owner: Caller, headers: dict[str, str], status: int) -> None:
    response = await owner.post(PATH, content=json.dumps({"rows": [ROW]}).encode(), headers=headers)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"


async def test_too_large_a_body_is_cut_off_while_it_arrives(owner: Caller) -> None:
    async def endless() -> Any:
        for _ in range(100):
            yield b" " * 100_000

    await pushed(owner)
    response = await owner.post(PATH, content=endless(), headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert response.json()["type"] == "urn:argosy:problem:content-too-large"


async def test_categories_and_ranges_hold_unless_the_owner_opens_them(owner: Caller) -> None:
    await pushed(owner)
    bounded = await owner.patch(
        "/models/owner/sizes/versions/1", json={"features": {"width": {"minimum": 0, "maximum": 5}}}
    )
    assert bounded.status_code == 200, bounded.text
    refused = await owner.post(PATH, json={"rows": [{"width": 6, "height": 1}]})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["loc"] == ["rows", 0, "width"]
    assert (await owner.post(PATH, json={"rows": [{"width": 5, "height": 1}]})).status_code == 200


async def test_version_and_alias_choose_who_answers(owner: Caller) -> None:
    await owner.post("/models", json={"name": "sums"})
    for number, weight in ((1, 1.0), (2, 10.0)):
        await upload(
            owner, "sums", sums(weight), {"inputs": {"a": [1.0], "b": [2.0]}, "outputs": {"total": [3 * weight]}}
        )
        assert (await settled(owner, "sums", number))["status"] == "ready"

    async def total(query: str = "") -> tuple[int, Any]:
        response = await owner.post(f"/models/owner/sums/predict{query}", json={"rows": [{"a": 2, "b": 3}]})
        return response.status_code, response.json()

    assert (await total())[1]["predictions"] == [{"total": [5.0]}]
    assert (await total("?version=2"))[1]["version"] == 2
    await owner.put("/models/owner/sums/aliases/live", json={"version": 2})
    assert (await total())[1]["predictions"] == [{"total": [50.0]}]
    assert (await total("?alias=live"))[0] == 200
    assert (await total("?alias=champion"))[1]["type"] == "urn:argosy:problem:alias-not-found"
    assert (await total("?version=9"))[1]["type"] == "urn:argosy:problem:version-not-found"
    assert (await total("?version=1&alias=live"))[0] == 422
    assert (await total("?version=0"))[0] == 422


async def test_a_model_without_a_version_says_so(owner: Caller) -> None:
    await owner.post("/models", json={"name": "sizes"})
    response = await owner.post(PATH, json={"rows": [ROW]})
    assert response.status_code == 409
    assert response.json()["type"] == "urn:argosy:problem:no-live-version"


async def test_usage_counts_exactly_the_answered_calls(owner: Caller) -> None:
    await pushed(owner)
    by_key = {"Authorization": f"Bearer {owner.key}"}
    calls = [owner.post(PATH, json={"rows": [ROW] * rows}, headers=by_key) for rows in range(1, 21)]
    assert {response.status_code for response in await asyncio.gather(*calls)} == {200}
    await owner.post(PATH, json={"rows": []}, headers=by_key)
    await owner.post(PATH, json={"rows": [ROW]})

    usage: dict[str, Any] = {}
    for _ in range(100):
        usage = (await owner.get("/usage")).json()
        if usage["calls"] == 21:
            break
        await asyncio.sleep(0.05)
    assert (usage["calls"], usage["rows"]) == (21, 211)
    mine = [item for item in usage["items"] if item["principal_kind"] == "api_key"]
    assert [(item["principal_id"], item["model"], item["version"], item["calls"], item["rows"]) for item in mine] == [
        (owner.key_id, "owner/sizes", 1, 20, 210)
    ]
    by_model = (await owner.get("/usage?group_by=model&model=owner/sizes")).json()
    assert by_model["items"][0]["calls"] == 21
    none = (await owner.get("/usage?group_by=day&since=2999-01-01")).json()
    assert (none["items"], none["total"], none["calls"], none["rows"], none["latency"]) == ([], 0, 0, 0, None)


async def test_the_document_shows_each_live_model_with_its_own_schema(
    owner: Caller, stranger: Caller, client: httpx2.AsyncClient
) -> None:
    version = await pushed(owner)
    path = "/api/v1/models/owner/sizes/predict"

    async def document(caller: Caller | None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {caller.key}"} if caller else {}
        response = await client.get("/openapi.json", headers=headers)
        found: dict[str, Any] = response.json()
        return found

    mine = await document(owner)
    operation = mine["paths"][path]["post"]
    schema = mine["components"]["schemas"]["owner.sizes.v1.Request.Row"]
    assert set(schema["properties"]) == {"width", "height"}
    assert schema["properties"]["width"]["type"] == "number"
    example = operation["requestBody"]["content"]["application/json"]["example"]
    assert (await owner.post(PATH, json=example)).status_code == 200
    assert path not in (await document(stranger))["paths"]
    assert path not in (await document(None))["paths"]

    await owner.patch("/models/owner/sizes", json={"visibility": "public"})
    assert path in (await document(None))["paths"]
    await owner.delete("/models/owner/sizes/aliases/live")
    assert path not in (await document(owner))["paths"]

    signature = (await owner.get(f"/models/owner/sizes/versions/{version['version']}/signature")).json()
    assert signature["json_schema"]["properties"]["output"]["properties"]["label"] == {"enum": ["small", "large"]}


async def test_the_docs_page_loads_nothing_from_elsewhere(client: httpx2.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert "http" not in page.text.replace("http-equiv", "")
    for asset in ("/docs/init.js", "/docs/assets/swagger-ui-bundle.js", "/docs/assets/swagger-ui.css"):
        assert (await client.get(asset)).status_code == 200
