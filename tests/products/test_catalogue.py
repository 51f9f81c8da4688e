"""The catalogue: what is on sale for everybody, found, filtered, sorted and paged; drafts for their vendor."""

import base64
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from argosy.kit.clock import now
from argosy.kit.db.session import Database
from argosy.kit.db.tenancy import SYSTEM
from argosy.kit.ids import new_id
from argosy.kit.principal import Role
from argosy.organizations.models import Membership
from argosy.products import matching
from argosy.products.models import Product, ProductStatus, ProductTag
from bench.filling import analyze
from tests.support.callers import Caller, register
from tests.support.products import drafted, published, served
from tests.support.statements import explain, reads_whole, statements

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def row(caller: Caller, number: int, status: ProductStatus = ProductStatus.PUBLISHED, **fields: Any) -> Product:
    values: dict[str, Any] = {
        "id": new_id(),
        "organization_id": UUID(caller.organization_id),
        "name": f"Product {number:05}",
        "name_key": f"product {number:05}",
        "price": 100 + number,
        "currency": "EUR" if number % 2 else "JPY",
        "plan": {"period": "month", "calls": 1},
        "created_by": UUID(caller.user_id),
        "created_at": now(),
        "status": status,
    }
    tags = [ProductTag(organization_id=values["organization_id"], tag=tag) for tag in fields.pop("tags", [])]
    return Product(**values | fields, tags=tags, models=[])


@pytest.fixture
def database(app: FastAPI) -> Database:
    found: Database = app.state.database
    return found


async def names(client: httpx2.AsyncClient, query: str) -> list[str]:
    answer = await client.get(f"/api/v1/products{query}")
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


async def test_everybody_reads_what_is_on_sale(owner: Caller, stranger: Caller, client: httpx2.AsyncClient) -> None:
    await served(owner)
    draft, product = await drafted(owner, "Draft"), await published(owner)
    assert await names(client, "") == ["Sizes"]
    for caller in (owner, stranger):
        assert [one["name"] for one in (await caller.get("/products")).json()["items"]] == ["Sizes"]
        assert (await caller.get(f"/products/{product['id']}")).json() == product
    assert (await client.get(f"/api/v1/products/{product['id']}")).json() == product
    assert (await client.get(f"/api/v1/products/{draft['id']}")).status_code == 404
    assert (await stranger.get(f"/products/{draft['id']}")).status_code == 404
    assert [one["name"] for one in (await owner.get("/products?status=draft")).json()["items"]] == ["Draft"]
    assert (await stranger.get("/products?status=draft")).json()["items"] == []
    assert await names(client, "?status=draft") == []
    for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/archive"), ("POST", "/publish")):
        refused = await stranger.request(method, f"/products/{product['id']}{path}", json={})
        assert refused.status_code == 403, (method, path)
        hidden = await stranger.request(method, f"/products/{draft['id']}{path}", json={})
        assert hidden.status_code == 404, (method, path)
    wrong = await client.get("/api/v1/products", headers={"Authorization": "Bearer ak_wrong"})
    assert wrong.status_code == 401


async def test_what_is_archived_is_off_the_lists_and_still_read_by_its_buyers(
    owner: Caller, client: httpx2.AsyncClient
) -> None:
    await served(owner)
    product = await published(owner)
    await owner.post(f"/products/{product['id']}/archive")
    assert await names(client, "") == []
    assert await names(client, "?status=archived") == []
    assert (await owner.get("/products?status=archived")).json()["total"] == 1
    assert (await client.get(f"/api/v1/products/{product['id']}")).json()["status"] == "archived"
    assert (await client.get(f"/api/v1/products/{product['id']}/openapi.json")).json()["paths"]


@on_sqlite
async def test_drafts_are_for_those_who_may_see_them(
    owner: Caller, client: httpx2.AsyncClient, database: Database
) -> None:
    viewer, developer = await register(client, "viewer"), await register(client, "developer")
    await served(owner)
    draft = await drafted(owner)
    async with database.write() as session:
        for caller, role in ((viewer, Role.VIEWER), (developer, Role.DEVELOPER)):
            organization_id, user_id = UUID(owner.organization_id), UUID(caller.user_id)
            session.add(Membership(organization_id=organization_id, user_id=user_id, role=role))
    there = {"X-Organization": "owner"}
    assert (await viewer.get(f"/products/{draft['id']}", headers=there)).status_code == 404
    assert (await viewer.get("/products?status=draft", headers=there)).json()["items"] == []
    assert (await developer.get(f"/products/{draft['id']}", headers=there)).status_code == 200
    assert (await developer.post(f"/products/{draft['id']}/publish", headers=there)).status_code == 403


async def test_products_are_filtered(
    database: Database, owner: Caller, stranger: Caller, client: httpx2.AsyncClient
) -> None:
    await served(owner)
    await published(owner, "Iris Pro", tags=["demo", "plants"])
    await published(owner, "Iris light", tags=["demo"], price={"amount": 500, "currency": "EUR"})
    async with database.write() as session:
        session.add(row(stranger, 7, name="100% Ірис", name_key="100% ірис", currency="JPY", price=5000))
    assert await names(client, "?sort=name") == ["100% Ірис", "Iris light", "Iris Pro"]
    assert await names(client, "?sort=-name") == ["Iris Pro", "Iris light", "100% Ірис"]
    assert await names(client, "?sort=price") == ["Iris light", "Iris Pro", "100% Ірис"]
    assert await names(client, "?vendor=stranger") == ["100% Ірис"]
    assert await names(client, "?tag=demo&sort=name") == ["Iris light", "Iris Pro"]
    assert await names(client, "?tag=demo&tag=plants") == ["Iris Pro"]
    assert await names(client, "?q=IRIS&sort=name") == ["Iris light", "Iris Pro"]
    assert await names(client, "?q=iris%20%20PRO") == ["Iris Pro"]
    assert await names(client, "?q=100%25") == ["100% Ірис"]
    assert await names(client, "?q=%25") == []
    assert await names(client, "?q=_ris") == []
    assert await names(client, "?currency=JPY") == ["100% Ірис"]
    assert await names(client, "?min_price=501&max_price=1999") == ["Iris Pro"]
    assert await names(client, "?model=owner/sizes&sort=name") == ["Iris light", "Iris Pro"]
    assert await names(client, "?model=stranger/sizes") == []
    for wrong in ("currency=XXX", "min_price=-1", "max_price=x", "vendor=A", "status=gone", "sort=sold"):
        assert (await client.get(f"/api/v1/products?{wrong}")).status_code == 422, wrong


async def test_what_many_have_is_found_as_what_few_have(
    database: Database, owner: Caller, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.write() as session:
        session.add_all([row(owner, number, tags=["a", *(["b"] if number % 2 else [])]) for number in range(5)])
    asked = ("tag=a", "tag=b&tag=a", "tag=c", "q=product", "q=product 00003", "q=prod&tag=b&sort=name", "q=x")
    found = [await names(client, f"?{query}") for query in asked]
    assert [len(one) for one in found] == [5, 2, 0, 5, 1, 2, 0]
    for common in (1, 3):
        monkeypatch.setattr(matching, "COMMON", common)
        assert [await names(client, f"?{query}") for query in asked] == found, common


async def test_facets_count_what_is_found(
    database: Database, owner: Caller, stranger: Caller, client: httpx2.AsyncClient
) -> None:
    await served(owner)
    await published(owner, "Iris Pro", tags=["demo", "plants"])
    await published(owner, "Iris light", tags=["demo"], price={"amount": 500, "currency": "EUR"})
    await drafted(owner, "Draft", tags=["secret"])
    async with database.write() as session:
        session.add(row(stranger, 7, tags=["demo"], currency="JPY", price=5000))
    facets = (await client.get("/api/v1/products/facets")).json()
    assert facets["tags"] == [{"value": "demo", "count": 3}, {"value": "plants", "count": 1}]
    assert facets["vendors"] == [{"value": "owner", "count": 2}, {"value": "stranger", "count": 1}]
    assert facets["models"] == [{"value": "owner/sizes", "count": 2}]
    assert facets["currencies"] == [
        {"value": "EUR", "count": 2, "min_price": 500, "max_price": 1999},
        {"value": "JPY", "count": 1, "min_price": 5000, "max_price": 5000},
    ]
    some = (await stranger.get("/products/facets?tag=plants")).json()
    assert [one["value"] for one in some["tags"]] == ["demo", "plants"]
    assert some["vendors"] == [{"value": "owner", "count": 1}]


async def test_pages_by_number_and_by_cursor_agree(
    database: Database, owner: Caller, client: httpx2.AsyncClient
) -> None:
    async with database.write() as session:
        session.add_all([row(owner, number, price=100 + number // 3) for number in range(11)])
    first = (await client.get("/api/v1/products?size=4&sort=name")).json()
    assert {name: first[name] for name in ("total", "page", "size", "pages")} == {
        "total": 11, "page": 1, "size": 4, "pages": 3,
    }  # fmt: skip
    for sort in ("name", "-name", "price", "-price", "created_at", "-created_at"):
        whole = await names(client, f"?size=100&sort={sort}")
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = (await client.get(f"/api/v1/products?size=3&sort={sort}&cursor={cursor}")).json()
            found += [item["name"] for item in page["items"]]
            cursor = page["next_cursor"]
        assert found == whole
        assert len(found) == 11


@pytest.mark.parametrize(
    ("sort", "value"),
    [
        ("price", "99999999999999999999999999"),
        ("price", "-99999999999999999999999999"),
        ("price", "true"),
        ("price", '"1"'),
        ("price", "1.5"),
        ("name", r'"\ud800"'),
        ("created_at", '"0001-01-01T00:00:00+23:00"'),
        ("created_at", '"9999-12-31T23:59:59-23:00"'),
    ],
)
async def test_a_forged_cursor_is_refused(client: httpx2.AsyncClient, sort: str, value: str) -> None:
    forged = base64.urlsafe_b64encode(f'[{value}, "{new_id()}"]'.encode()).decode().rstrip("=")
    answer = await client.get(f"/api/v1/products?sort={sort}&cursor={forged}")
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["query", "cursor"]), answer.text


async def test_a_list_costs_the_same_statements_however_long(
    app: FastAPI, database: Database, owner: Caller, client: httpx2.AsyncClient
) -> None:
    async def cost() -> int:
        with statements(database, "FROM product") as noted:
            assert (await client.get("/api/v1/products?size=200")).status_code == 200
        return len(noted)

    async with database.write() as session:
        session.add(row(owner, 0, tags=["a", "b"]))
    one = await cost()
    async with database.write() as session:
        session.add_all([row(owner, number, tags=["a", "b"]) for number in range(1, 150)])
    assert await cost() == one == 4  # the products and their number, the tags, the models


QUERIES = {
    "": "ix_products_status_created_at_id",
    "?sort=price": "ix_products_status_price_id",
    "?sort=name": "ix_products_status_name_key_id",
    "?q=product%2000042": "ix_products_status_name_key_id",
    "?currency=EUR&sort=price&min_price=600": "ix_products_status_currency_price_id",
    "?vendor=owner": "ix_products_organization_id_status_created_at_id",
    "?tag=rare": "product_tags",
}


async def test_lists_use_the_indexes(
    app: FastAPI, database: Database, owner: Caller, stranger: Caller, client: httpx2.AsyncClient
) -> None:
    async with database.write() as session:
        session.add_all([row(stranger, number) for number in range(1500)])
        session.add_all([row(owner, 5000 + number, tags=["rare"]) for number in range(5)])
    if database.dialect == "postgresql":  # SQLite is asked as it is used: without statistics
        await analyze(database)
    for query, index in QUERIES.items():
        parts = f"{query}{'&' if query else '?'}cursor=&size=5"
        with statements(database, "FROM products LEFT OUTER JOIN") as noted:
            assert (await client.get(f"/api/v1/products{parts}")).status_code == 200
        plan = await explain(database, SYSTEM, noted[0])
        assert index in plan, (query, plan)
        assert not reads_whole(plan, "products"), (query, plan)
