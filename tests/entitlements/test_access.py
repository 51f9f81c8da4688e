"""Who is entitled calls a private model by its alias, through every protocol; to everybody else it does not exist."""

import json

import pytest
from fastapi import FastAPI

from tests.support.callers import Caller
from tests.support.entitlements import PREDICT, ROW, granted, with_key
from tests.support.models import pushed
from tests.support.products import PLAN, body, carded, served

OIP = {"inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP32", "data": [3.0, 4.0]}]}
LINE = json.dumps(ROW["rows"][0])


async def test_without_an_entitlement_the_model_does_not_exist(owner: Caller, stranger: Caller) -> None:
    await served(owner)
    for query in ("", "?alias=live", "?version=1"):
        hidden = await stranger.post(f"{PREDICT}{query}", json=ROW)
        absent = await stranger.post(f"/models/owner/nothing/predict{query}", json=ROW)
        assert hidden.status_code == absent.status_code == 404
        assert hidden.json()["type"] == absent.json()["type"]
        assert hidden.json()["detail"] == absent.json()["detail"]


async def test_an_entitlement_lets_in_by_its_alias_only(owner: Caller, stranger: Caller) -> None:
    await pushed(owner)
    found = await granted(owner, stranger, PLAN)
    for call in (PREDICT, f"{PREDICT}?alias=live"):
        assert (await with_key(stranger, path=call)).status_code == 200
        assert (await stranger.post(call, json=ROW)).status_code == 200
    assert (await owner.put("/models/owner/sizes/aliases/next", json={"version": 1})).status_code in {200, 201}
    for call in (f"{PREDICT}?version=1", f"{PREDICT}?alias=next"):
        assert (await with_key(stranger, path=call)).status_code == 404
    # What was granted is calls, not the model.
    for path in ("", "/versions", "/versions/1/signature", "/aliases"):
        assert (await stranger.get(f"/models/owner/sizes{path}")).status_code == 404, path
    explain = {"kind": "explanation", "method": "permutation", **ROW, "samples": 1, "model": "owner/sizes"}
    assert (await stranger.post("/jobs", json=explain)).status_code == 404
    assert found["models"][0]["alias"] == "live"


async def test_another_alias_than_the_default(owner: Caller, stranger: Caller) -> None:
    await pushed(owner)
    await carded(owner, "owner/sizes")
    await owner.put("/models/owner/sizes/aliases/best", json={"version": 1})
    made = (await owner.post("/products", json=body("Best", "owner/sizes@best"))).json()
    product = await owner.post(f"/products/{made['id']}/publish")
    assert product.status_code == 200, product.text
    given = await owner.post("/entitlements", json={"organization": "stranger", "product_id": made["id"]})
    assert given.status_code == 201, given.text
    assert (await stranger.post(f"{PREDICT}?alias=best", json=ROW)).status_code == 200
    assert (await stranger.post(PREDICT, json=ROW)).status_code == 404
    assert (await stranger.post("/v2/models/owner/sizes/versions/best/infer", json=OIP)).status_code == 200
    paths = (await stranger.http.get("/openapi.json", headers={"Authorization": f"Bearer {stranger.token}"})).json()
    route = paths["paths"]["/api/v1/models/owner/sizes/predict"]["post"]
    assert route["parameters"][0]["schema"] == {"const": "best"}


async def test_through_every_protocol_of_http(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    await granted(owner, stranger, PLAN)
    assert (await stranger.post("/v2/models/owner/sizes/infer", json=OIP)).status_code == 200
    assert (await with_key(stranger, OIP, "/v2/models/owner/sizes/infer")).status_code == 200
    assert (await stranger.get("/v2/models/owner/sizes")).status_code == 200
    streamed = await stranger.post(f"{PREDICT}/stream", content=f"{LINE}\n{LINE}\n")
    assert [json.loads(line) for line in streamed.text.splitlines()][-1]["rows"] == 2
    seen = await stranger.http.get("/openapi.json", headers={"Authorization": f"Bearer {stranger.token}"})
    assert "/api/v1/models/owner/sizes/predict" in seen.json()["paths"]
    hidden = await app_document(owner, "stranger/none")
    assert not hidden


async def app_document(caller: Caller, model: str) -> bool:
    found = await caller.http.get("/openapi.json", headers={"Authorization": f"Bearer {caller.token}"})
    return f"/api/v1/models/{model}/predict" in found.json()["paths"]


async def test_only_the_keys_that_the_customer_names(owner: Caller, stranger: Caller) -> None:
    found = await granted(owner, stranger, PLAN)
    other = await stranger.post(
        "/organizations/stranger/api-keys", json={"name": "other", "scopes": ["predict", "models:read"]}
    )
    await stranger.patch(f"/entitlements/{found['id']}", json={"api_keys": [other.json()["id"]]})
    assert (await with_key(stranger)).status_code == 404
    assert (await stranger.post(PREDICT, json=ROW)).status_code == 404
    named = {"Authorization": f"Bearer {other.json()['key']}"}
    assert (await stranger.post(PREDICT, json=ROW, headers=named)).status_code == 200
    await stranger.patch(f"/entitlements/{found['id']}", json={"api_keys": None})
    assert (await with_key(stranger)).status_code == 200


async def test_a_key_that_is_limited_to_other_models_stays_so(owner: Caller, stranger: Caller) -> None:
    await granted(owner, stranger, PLAN)
    made = await stranger.post(
        "/organizations/stranger/api-keys",
        json={"name": "narrow", "scopes": ["predict"], "models": ["stranger/mine"]},
    )
    narrow = {"Authorization": f"Bearer {made.json()['key']}"}
    assert (await stranger.post(PREDICT, json=ROW, headers=narrow)).status_code == 404


@pytest.mark.parametrize("entitled", [False, True])
async def test_a_public_model_is_not_counted(owner: Caller, stranger: Caller, entitled: bool) -> None:
    await served(owner)
    if entitled:
        await granted(owner, stranger, {"period": "day", "calls": 1})
    await owner.patch("/models/owner/sizes", json={"visibility": "public"})
    for _ in range(3):
        answer = await with_key(stranger)
        assert answer.status_code == 200
        assert "ratelimit-policy" not in answer.headers
