"""Models, versions and aliases over HTTP."""

import asyncio
import hashlib
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from tests.support.callers import Caller
from tests.support.models import classifier_sample, linear_classifier, pushed, settled, sums, upload
from tests.support.statements import statements


async def test_a_model_is_made_shown_changed_and_deleted(owner: Caller) -> None:
    made = await owner.post("/models", json={"name": "iris", "description": "Flowers", "tags": ["demo"]})
    assert made.status_code == 201
    assert made.json()["full_name"] == "owner/iris"
    assert made.json()["visibility"] == "private"
    assert made.headers["etag"] == '"1"'

    changed = await owner.patch("/models/owner/iris", json={"tags": ["a", "b"]}, headers={"If-Match": '"1"'})
    assert changed.json()["tags"] == ["a", "b"]
    assert changed.json()["description"] == "Flowers"
    cleared = await owner.patch("/models/owner/iris", json={"description": None})
    assert cleared.json()["description"] is None
    stale = await owner.patch("/models/owner/iris", json={"tags": []}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412

    assert (await owner.delete("/models/owner/iris")).status_code == 204
    assert (await owner.get("/models/owner/iris")).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "Iris"}, "name"),
        ({"name": "../etc"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "iris", "visibility": "secret"}, "visibility"),
        ({"name": "iris", "tags": ["x" * 51]}, "tags"),
        ({"name": "iris", "organization_id": "x"}, "organization_id"),
        ({"name": "iris", "description": "a\x00b"}, "description"),
        ({}, "name"),
    ],
)
async def test_a_bad_model_is_refused_by_field(owner: Caller, body: dict[str, Any], field: str) -> None:
    response = await owner.post("/models", json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"][:2] == ["body", field]


async def test_a_name_is_taken_once(owner: Caller) -> None:
    answers = await asyncio.gather(*(owner.post("/models", json={"name": "iris"}) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_pages_by_number_and_by_cursor_agree(owner: Caller) -> None:
    for index in range(7):
        await owner.post("/models", json={"name": f"m{index}"})
    first = (await owner.get("/models?size=3&sort=name")).json()
    assert {key: first[key] for key in ("total", "page", "size", "pages")} == {
        "total": 7,
        "page": 1,
        "size": 3,
        "pages": 3,
    }
    assert [item["name"] for item in first["items"]] == ["m0", "m1", "m2"]

    for sort in ("name", "-name", "created_at", "-created_at"):
        names: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = (await owner.get(f"/models?size=2&sort={sort}&cursor={cursor}")).json()
            assert set(page) == {"items", "next_cursor"}
            names += [item["name"] for item in page["items"]]
            cursor = page["next_cursor"]
            if len(names) == 2 and sort == "-created_at":
                await owner.post("/models", json={"name": "newcomer"})
        assert names == sorted(names, reverse=sort.startswith("-"))
        assert len(names) == 7

    assert (await owner.get("/models?cursor=nonsense")).status_code == 422
    assert (await owner.get("/models?sort=secret")).status_code == 422
    assert (await owner.get("/models?size=201")).status_code == 422
    assert [item["name"] for item in (await owner.get("/models?q=m3")).json()["items"]] == ["m3"]


async def test_a_list_costs_the_same_statements_however_long(app: FastAPI, owner: Caller) -> None:
    async def cost() -> int:
        with statements(app.state.database, "FROM models", "FROM aliases") as noted:
            await owner.get("/models?size=100")
        return len(noted)

    await owner.post("/models", json={"name": "m0"})
    one = await cost()
    for index in range(1, 12):
        await owner.post("/models", json={"name": f"m{index}"})
    assert await cost() == one


async def test_a_pushed_version_carries_what_was_said_and_what_was_proved(owner: Caller) -> None:
    version = await pushed(
        owner,
        metrics={"accuracy": 0.97, "f1_score": 0.96},
        parameters={"C": 1.0, "solver": "lbfgs"},
        training_date="2026-01-02T03:04:05Z",
        description="first",
        tags=["good"],
        sha256=hashlib.sha256(linear_classifier()).hexdigest(),
    )
    assert version["metrics"] == {"accuracy": 0.97, "f1_score": 0.96}
    assert version["parameters"]["solver"] == "lbfgs"
    assert version["training_date"] == "2026-01-02T03:04:05Z"
    assert version["onnx"]["sha256"] == hashlib.sha256(linear_classifier()).hexdigest()
    assert version["signature"]["classes"] == ["small", "large"]
    assert version["parity"]["passed"]
    assert version["parity"]["compared"]
    assert version["parity"]["checks"][0]["kind"] == "sample"
    job = (await owner.get(f"/jobs/{version['job_id']}")).json()
    assert job["status"] == "succeeded"
    assert job["progress"]["total"] == 4
    assert job["result_url"] == "/api/v1/models/owner/sizes/versions/1"
    assert (await owner.post(f"/jobs/{version['job_id']}/cancel")).status_code == 409
    assert (await owner.get("/jobs?status=succeeded")).json()["total"] == 1
    model = (await owner.get("/models/owner/sizes")).json()
    assert model["aliases"] == {"live": 1}
    assert model["last_version"] == 1


async def test_answers_that_differ_fail_the_version_and_it_cannot_be_aliased(owner: Caller) -> None:
    await owner.post("/models", json={"name": "sizes"})
    sample = classifier_sample()
    sample["outputs"]["label"][0] = "large"
    await upload(owner, "sizes", linear_classifier(), sample)
    version = await settled(owner, "sizes")
    assert version["status"] == "failed"
    assert version["error"]["code"] == "parity"
    assert "label of row 0" in version["error"]["reason"]
    assert version["error"]["advice"]
    refused = await owner.put("/models/owner/sizes/aliases/live", json={"version": 1})
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:argosy:problem:version-not-ready"
    predicted = await owner.post("/models/owner/sizes/predict?version=1", json={"rows": [{}]})
    assert predicted.status_code == 409


async def test_an_alias_moves_and_its_history_stays(owner: Caller) -> None:
    await pushed(owner)
    await pushed(owner)
    assert (await owner.get("/models/owner/sizes")).json()["aliases"] == {"live": 1}
    moved = await owner.put("/models/owner/sizes/aliases/live", json={"version": 2})
    assert moved.json()["version"] == 2
    assert (await owner.put("/models/owner/sizes/aliases/live", json={"version": 2})).json()["revision"] == 2
    stale = await owner.put("/models/owner/sizes/aliases/live", json={"version": 1}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert (await owner.get("/models/owner/sizes/aliases/live")).headers["etag"] == '"2"'
    assert [alias["name"] for alias in (await owner.get("/models/owner/sizes/aliases")).json()] == ["live"]
    assert (await owner.delete("/models/owner/sizes/aliases/live")).status_code == 204
    assert (await owner.get("/models/owner/sizes/aliases/live")).status_code == 404
    history = (await owner.get("/models/owner/sizes/aliases/live/history?sort=created_at")).json()
    assert [(one["from_version"], one["to_version"]) for one in history["items"]] == [(None, 1), (1, 2), (2, None)]
    compared = (await owner.get("/models/owner/sizes/versions/compare?a=1&b=2")).json()
    assert compared["parameters"] == {}
    assert [one["version"] for one in (await owner.get("/models/owner/sizes/versions")).json()["items"]] == [2, 1]


async def test_an_artifact_comes_whole_and_in_ranges(owner: Caller) -> None:
    await pushed(owner)
    path, content = "/models/owner/sizes/versions/1/artifact", linear_classifier()
    whole = await owner.get(path)
    assert whole.content == content
    assert whole.headers["content-disposition"] == 'attachment; filename="sizes-1.onnx"'
    for header, start, end in (("bytes=0-9", 0, 10), ("bytes=5-", 5, None), ("bytes=-7", -7, None)):
        part = await owner.get(path, headers={"Range": header})
        assert part.status_code == 206
        assert part.content == content[start:end]
    assert (await owner.get(path, headers={"Range": "bytes=0-0"})).headers[
        "content-range"
    ] == f"bytes 0-0/{len(content)}"
    beyond = await owner.get(path, headers={"Range": f"bytes={len(content)}-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(content)}"
    assert (await owner.get(path, headers={"Range": "rows=1-2"})).status_code == 200
    assert (await owner.get(f"{path}?kind=source")).content == content


UPLOADS: list[tuple[dict[str, Any], dict[str, str], int, str]] = [
    ({"artifact": b"\x80\x04\x95"}, {}, 415, "format-refused"),
    ({"artifact": b"\x1f\x8b\x08"}, {}, 415, "format-refused"),
    ({"artifact": b"hello"}, {}, 415, "format-refused"),
    ({"artifact": b""}, {}, 422, "validation-error"),
    ({"other": b"x"}, {}, 422, "validation-error"),
    ({}, {"metadata": "{}"}, 422, "validation-error"),
    ({"artifact": linear_classifier()}, {"metadata": "{"}, 400, "bad-request"),
    ({"artifact": linear_classifier()}, {"metadata": '{"metrics": {"a": "x"}}'}, 422, "validation-error"),
    ({"artifact": linear_classifier()}, {"metadata": '{"owner": "me"}'}, 422, "validation-error"),
    ({"artifact": linear_classifier()}, {"metadata": '{"sha256": "' + "0" * 64 + '"}'}, 422, "digest-mismatch"),
    (
        {"artifact": linear_classifier()},
        {"metadata": '{"training_date": "2026-01-02T03:04:05"}'},
        422,
        "validation-error",
    ),
]


async def test_a_bad_upload_registers_nothing(owner: Caller) -> None:
    await owner.post("/models", json={"name": "sizes"})
    for parts, data, status, kind in UPLOADS:
        files = {name: (f"../../{name}", content) for name, content in parts.items()}
        response = await owner.post("/models/owner/sizes/versions", files=files or {"": ("", b"")}, data=data)
        assert response.status_code == status, (parts.keys(), data, response.text)
        assert response.json()["type"] == f"urn:argosy:problem:{kind}"
    plain = await owner.post("/models/owner/sizes/versions", json={})
    assert plain.status_code == 415
    assert (await owner.get("/models/owner/sizes/versions")).json()["total"] == 0
    assert (await owner.get("/models/owner/sizes")).json()["last_version"] == 0


async def test_a_refused_pickle_says_why_and_what_to_do(owner: Caller) -> None:
    await owner.post("/models", json={"name": "sizes"})
    problem = (await upload(owner, "sizes", b"\x80\x04\x95")).json()
    assert "never executes an upload" in problem["detail"]
    assert "skops" in problem["advice"]


@pytest.mark.parametrize(
    ("artifact", "sample", "code"),
    [
        (b"\x08\x09\x12\x00", None, "onnx-invalid"),
        (linear_classifier(), {"inputs": {"width": [1.0]}}, "sample-columns"),
        (linear_classifier(), {"inputs": {"width": [1.0], "height": []}}, "sample-invalid"),
        (sums(), {"inputs": {"a": [1.0], "wrong": [1.0]}}, "sample-columns"),
    ],
)
async def test_a_version_that_cannot_be_verified_fails_with_a_reason(
    owner: Caller, artifact: bytes, sample: dict[str, Any] | None, code: str
) -> None:
    await owner.post("/models", json={"name": "sizes"})
    assert (await upload(owner, "sizes", artifact, sample)).status_code == 202
    version = await settled(owner, "sizes")
    assert (version["status"], version["error"]["code"]) == ("failed", code)
    assert version["error"]["reason"]


async def test_the_same_upload_twice_with_a_key_is_one_version(owner: Caller) -> None:
    await owner.post("/models", json={"name": "sizes"})
    headers = {"Idempotency-Key": "push-1"}
    first = await upload(owner, "sizes", linear_classifier(), classifier_sample(), headers)
    again = await upload(owner, "sizes", linear_classifier(), classifier_sample(), headers)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await upload(owner, "sizes", sums(), None, headers)
    assert other.status_code == 422
    assert (await owner.get("/models/owner/sizes/versions")).json()["total"] == 1


async def test_concurrent_uploads_get_consecutive_numbers(owner: Caller) -> None:
    await owner.post("/models", json={"name": "sizes"})
    answers = await asyncio.gather(*(upload(owner, "sizes", linear_classifier()) for _ in range(6)))
    assert sorted(answer.json()["version"] for answer in answers) == [1, 2, 3, 4, 5, 6]


async def test_orphans_are_collected_and_what_is_referred_to_stays(app: FastAPI, owner: Caller) -> None:
    from datetime import timedelta  # noqa: PLC0415
    from io import BytesIO  # noqa: PLC0415

    from argosy.registry.maintenance import collect_orphans  # noqa: PLC0415

    await pushed(owner)
    orphan = await app.state.store.put(BytesIO(b"left by a crash"))
    await asyncio.sleep(0.05)
    assert await collect_orphans(app.state.database, app.state.store, timedelta()) >= 1
    with pytest.raises(FileNotFoundError):
        await app.state.store.size(orphan.digest)
    assert (await owner.get("/models/owner/sizes/versions/1/artifact")).status_code == 200


async def test_deleting_a_model_keeps_its_usage(owner: Caller, client: httpx2.AsyncClient) -> None:
    await pushed(owner)
    await owner.post("/models/owner/sizes/predict", json={"rows": [{"width": 1, "height": 1}]})
    assert (await owner.delete("/models/owner/sizes")).status_code == 204
    usage: dict[str, Any] = {}
    for _ in range(100):
        usage = (await owner.get("/usage?group_by=model")).json()
        if usage["calls"]:
            break
        await asyncio.sleep(0.05)
    assert usage["items"][0]["model"] == "owner/sizes"
