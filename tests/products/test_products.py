"""Products: made, changed, priced, published and archived by their vendor; read by everybody."""

import asyncio
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from argosy.events.models import Event
from argosy.products.models import PRODUCT_TRANSITIONS, ProductStatus
from tests.support.callers import Caller
from tests.support.models import pushed
from tests.support.products import PLAN, body, carded, drafted, published, served

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_product_is_made_changed_and_deleted(owner: Caller) -> None:
    await owner.post("/models", json={"name": "sizes"})
    made = await owner.post("/products", json=body(description="Small or large", tags=["b", "a", "b"]))
    assert made.status_code == 201, made.text
    product = made.json()
    assert (product["status"], product["vendor"], product["models"]) == ("draft", "owner", ["owner/sizes"])
    assert product["price"] == {"amount": 1999, "currency": "EUR", "minor_units": 2}
    assert product["tags"] == ["b", "a"]
    assert {name: product["plan"][name] for name in PLAN} == PLAN
    assert made.headers["etag"] == '"1"'
    path = f"/products/{product['id']}"
    assert (await owner.get(path)).json() == product

    changed = await owner.patch(path, json={"tags": ["a", "c"]}, headers={"If-Match": '"1"'})
    assert changed.json()["tags"] == ["a", "c"]
    assert changed.json()["description"] == "Small or large"
    assert (await owner.get(path)).json() == changed.json()
    assert changed.headers["etag"] == '"2"'
    assert (await owner.patch(path, json={"tags": []}, headers={"If-Match": '"1"'})).status_code == 412
    assert (await owner.patch(path, json={"description": None})).json()["description"] is None
    await owner.post("/models", json={"name": "other"})
    swapped = await owner.patch(path, json={"models": ["owner/other@best", "owner/sizes"], "name": "New"})
    assert swapped.json()["models"] == ["owner/other@best", "owner/sizes"]
    assert swapped.json()["name"] == "New"

    assert (await owner.delete(path, headers={"If-Match": '"1"'})).status_code == 412
    assert (await owner.delete(path)).status_code == 204
    assert (await owner.get(path)).json()["type"] == "urn:argosy:problem:product-not-found"


@on_sqlite
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "\ufdfa" * 200}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"price": {"amount": 0, "currency": "EUR"}}, "price"),
        ({"price": {"amount": -1, "currency": "EUR"}}, "price"),
        ({"price": {"amount": 19.99, "currency": "EUR"}}, "price"),
        ({"price": {"amount": 10**12 + 1, "currency": "EUR"}}, "price"),
        ({"price": {"amount": 1, "currency": "EURO"}}, "price"),
        ({"price": {"amount": 1, "currency": "eur"}}, "price"),
        ({"price": {"amount": 1, "currency": "ZZZ"}}, "price"),
        ({"models": []}, "models"),
        ({"models": ["sizes"]}, "models"),
        ({"models": ["owner/sizes", "owner/sizes@best"]}, "models"),
        ({"models": ["owner/absent"]}, "models"),
        ({"plan": {"period": "month"}}, "plan"),
        ({"plan": {"period": "fortnight", "calls": 1}}, "plan"),
        ({"plan": {"period": "month", "calls": 0}}, "plan"),
        ({"plan": {"period": "month", "calls": 1, "stock": 0}}, "plan"),
        ({"tags": ["x" * 51]}, "tags"),
        ({"status": "published"}, "status"),
    ],
)
async def test_a_bad_product_is_refused_by_field(owner: Caller, wrong: dict[str, Any], field: str) -> None:
    await owner.post("/models", json={"name": "sizes"})
    refused = await owner.post("/products", json={**body(), **wrong})
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["loc"][:2] == ["body", field]


async def test_a_name_is_taken_once_however_it_is_spelt(owner: Caller, stranger: Caller) -> None:
    for caller in (owner, stranger):
        await caller.post("/models", json={"name": "sizes"})
    spelt = ["Straße Pro", "STRASSE  PRO", "strasse pro"]
    answers = await asyncio.gather(*(owner.post("/products", json=body(name)) for name in spelt * 2))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
    assert (await stranger.post("/products", json=body("Straße Pro", "stranger/sizes"))).status_code == 201
    other = await drafted(owner, "Other")
    clash = await owner.patch(f"/products/{other['id']}", json={"name": "strasse PRO"})
    assert clash.json()["type"] == "urn:argosy:problem:product-exists"
    assert (await owner.patch(f"/products/{other['id']}", json={"name": "OTHER"})).json()["name"] == "OTHER"


async def test_a_repeated_creation_happens_once(owner: Caller) -> None:
    await owner.post("/models", json={"name": "sizes"})
    once = {"Idempotency-Key": "k"}
    first = await owner.post("/products", json=body(), headers=once)
    again = await owner.post("/products", json=body(), headers=once)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"


async def test_nobody_sells_what_is_not_described_or_does_not_serve(owner: Caller) -> None:
    await owner.post("/models", json={"name": "sizes"})
    product = await drafted(owner)
    publish = f"/products/{product['id']}/publish"
    silent = await owner.post(publish)
    assert (silent.status_code, silent.json()["type"]) == (409, "urn:argosy:problem:nothing-serves")
    assert silent.json()["models"] == ["owner/sizes@live"]
    assert (await owner.get(f"/products/{product['id']}")).json()["status"] == "draft"
    await pushed(owner)
    undescribed = await owner.post(publish)
    assert (undescribed.status_code, undescribed.json()["type"]) == (409, "urn:argosy:problem:card-missing")
    assert undescribed.json()["models"] == ["owner/sizes"]
    await owner.put("/models/owner/sizes/card", json={"content": "Tells small from large.", "published": False})
    assert (await owner.post(publish)).json()["type"] == "urn:argosy:problem:card-missing"
    await carded(owner, "owner/sizes")
    assert (await owner.post(publish)).json()["status"] == "published"
    await owner.post("/models", json={"name": "bare", "description": "Serves nothing"})
    swapped = await owner.patch(f"/products/{product['id']}", json={"models": ["owner/bare"]})
    assert swapped.json()["type"] == "urn:argosy:problem:nothing-serves"
    assert (await owner.get(f"/products/{product['id']}")).json()["models"] == ["owner/sizes"]


async def test_every_pair_of_states(owner: Caller, client: httpx2.AsyncClient) -> None:
    await served(owner)
    ways = {ProductStatus.PUBLISHED: "publish", ProductStatus.ARCHIVED: "archive"}
    steps: dict[ProductStatus, list[str]] = {
        ProductStatus.DRAFT: [],
        ProductStatus.PUBLISHED: ["publish"],
        ProductStatus.ARCHIVED: ["publish", "archive"],
    }
    for start, path in steps.items():
        for end, way in ways.items():
            product = await drafted(owner, f"{start} to {end}")
            for step in path:
                assert (await owner.post(f"/products/{product['id']}/{step}")).status_code == 200
            moved = await owner.post(f"/products/{product['id']}/{way}")
            assert (moved.status_code == 200) is (end in PRODUCT_TRANSITIONS[start]), (start, end)
            shown = (await owner.get(f"/products/{product['id']}")).json()["status"]
            assert shown == (end if end in PRODUCT_TRANSITIONS[start] else start)
            gone = await owner.delete(f"/products/{product['id']}")
            assert gone.status_code == (204 if shown == "draft" else 409)


async def test_prices_are_kept(owner: Caller, client: httpx2.AsyncClient) -> None:
    await served(owner)
    product = await published(owner)
    path = f"/products/{product['id']}"
    set_ = await owner.post(f"{path}/prices", json={"amount": 2500, "currency": "EUR"})
    assert set_.status_code == 201, set_.text
    patched = await owner.patch(path, json={"price": {"amount": 3000, "currency": "JPY"}})
    assert patched.json()["price"] == {"amount": 3000, "currency": "JPY", "minor_units": 0}
    assert patched.json()["price_number"] == 3
    same = await owner.patch(path, json={"price": {"amount": 3000, "currency": "JPY"}})
    assert same.json()["price_number"] == 3
    stale = {"If-Match": f'"{product["revision"]}"'}
    assert (await owner.post(f"{path}/prices", json={"amount": 1, "currency": "EUR"}, headers=stale)).status_code == 412
    history = (await client.get(f"/api/v1{path}/prices")).json()["items"]
    assert [(one["number"], one["price"]["amount"]) for one in history] == [(3, 3000), (2, 2500), (1, 1999)]
    assert (await client.get(f"/api/v1{path}/prices?cursor=&size=2")).json()["next_cursor"]
    answers = await asyncio.gather(
        *(owner.post(f"{path}/prices", json={"amount": 10 + n, "currency": "EUR"}) for n in range(6))
    )
    made = sum(answer.status_code == 201 for answer in answers)
    assert {answer.status_code for answer in answers} <= {201, 409, 412}
    assert (await owner.get(path)).json()["price_number"] == 3 + made


async def test_a_model_that_is_offered_stays(owner: Caller) -> None:
    await owner.post("/models", json={"name": "sizes"})
    product = await drafted(owner)
    assert (await owner.delete("/models/owner/sizes")).status_code == 409
    await owner.delete(f"/products/{product['id']}")
    assert (await owner.delete("/models/owner/sizes")).status_code == 204


async def test_an_organization_goes_with_its_products(owner: Caller) -> None:
    await owner.post("/organizations", json={"slug": "firm", "name": "Firm"})
    firm = {"X-Organization": "firm"}
    await owner.post("/models", json={"name": "sizes"}, headers=firm)
    made = await owner.post("/products", json=body("P", "firm/sizes", tags=["a"]), headers=firm)
    assert made.status_code == 201
    assert (await owner.delete("/organizations/firm")).status_code == 204


async def test_every_change_is_an_event(app: FastAPI, owner: Caller) -> None:
    await served(owner)
    product = await published(owner)
    path = f"/products/{product['id']}"
    await owner.patch(path, json={"tags": ["x"]})
    await owner.post(f"{path}/prices", json={"amount": 5, "currency": "EUR"})
    await owner.post(f"{path}/archive")
    draft = await drafted(owner, "Another")
    await owner.delete(f"/products/{draft['id']}")
    async with app.state.database.read() as session:
        found = await session.scalars(select(Event).where(Event.kind.startswith("product.")).order_by(Event.id))
        told = [(event.kind, event.subject == product["id"]) for event in found]
    assert told == [
        ("product.created", True),
        ("product.published", True),
        ("product.updated", True),
        ("product.priced", True),
        ("product.archived", True),
        ("product.created", False),
        ("product.deleted", False),
    ]


async def test_the_document_is_the_products_own(owner: Caller, client: httpx2.AsyncClient) -> None:
    await served(owner)
    await served(owner, "other")
    await owner.put("/models/owner/other/aliases/best", json={"version": 1})
    product = await published(owner, description="All of it")
    await owner.patch(f"/products/{product['id']}", json={"models": ["owner/sizes", "owner/other@best"]})
    answer = await client.get(f"/api/v1/products/{product['id']}/openapi.json")
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert document["openapi"] == "3.1.0"
    assert (document["info"]["title"], document["info"]["description"]) == ("Sizes", "All of it")
    assert sorted(document["paths"]) == ["/api/v1/models/owner/other/predict", "/api/v1/models/owner/sizes/predict"]
    schemas = document["components"]["schemas"]
    assert any(name.startswith("owner.sizes.v1.") and "width" in str(one) for name, one in schemas.items())
    best = document["paths"]["/api/v1/models/owner/other/predict"]["post"]
    assert best["parameters"][0]["schema"] == {"const": "best"}
    example = document["paths"]["/api/v1/models/owner/sizes/predict"]["post"]["requestBody"]["content"]
    called = await owner.post("/models/owner/sizes/predict", json=example["application/json"]["example"])
    assert called.status_code == 200
    references = {one.split("#/components/schemas/")[1] for one in _references(document)}
    assert references <= set(schemas)
    assert set(document["components"]["securitySchemes"]) == {"Bearer", "ApiKey"}


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for item in value.values() for found in _references(item)]
    return [found for item in value for found in _references(item)] if isinstance(value, list) else []


async def test_the_page_says_what_is_bought(owner: Caller, client: httpx2.AsyncClient) -> None:
    await served(owner)
    product = await published(owner, plan={**PLAN, "features": ["Support"], "stock": 5})
    page = (await client.get(f"/api/v1/products/{product['id']}/page")).json()
    assert page["product"] == product
    assert page["product"]["plan"]["features"] == ["Support"]
    assert page["product"]["left"] == 5
    (model,) = page["models"]
    assert (model["name"], model["alias"], model["version"]) == ("owner/sizes", "live", 1)
    assert model["task"] == "classification"
    assert [field["name"] for field in model["inputs"]] == ["width", "height"]
    assert model["card"] == "<p>Tells small from large.</p>"
    example = page["example"]
    assert (await owner.post(example["path"].removeprefix("/api/v1"), json=example["body"])).status_code == 200
    draft = await drafted(owner, "Draft")
    assert (await client.get(f"/api/v1/products/{draft['id']}/page")).status_code == 404
    assert (await client.get(f"/api/v1/products/{draft['id']}/openapi.json")).status_code == 404
