"""Orders: what is bought costs what it costs now, is counted once, and goes from state to state as the table says."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from sqlalchemy.orm import selectinload

from argosy.events.models import Event
from argosy.kit.db.session import UnitOfWork
from argosy.orders.errors import OrderStatusConflict
from argosy.orders.models import Order
from argosy.orders.service import OrderService
from argosy.orders.states import ORDER_TRANSITIONS, UNSOLD, OrderStatus
from argosy.products.models import Product, ProductStatus
from tests.support.callers import Caller, bound
from tests.support.products import PLAN, body, drafted, published, served
from tests.support.statements import statements

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def ordered(buyer: Caller, *products: dict[str, Any], quantity: int = 1, **options: Any) -> httpx2.Response:
    items = [{"product_id": product["id"], "quantity": quantity} for product in products]
    return await buyer.post("/orders", json={"items": items}, **options)


async def settled(buyer: Caller, *products: dict[str, Any]) -> httpx2.Response:
    """Order, and again while the server says that it is too busy, as a client does."""
    while True:
        answer = await ordered(buyer, *products)
        if answer.status_code != 503:
            return answer


async def left(vendor: Caller, product: dict[str, Any]) -> int:
    number: int = (await vendor.get(f"/products/{product['id']}")).json()["left"]
    return number


async def test_an_order_is_priced_by_the_server_and_keeps_its_prices(owner: Caller, stranger: Caller) -> None:
    await served(owner)
    cheap = await published(owner, "Cheap", price={"amount": 500, "currency": "EUR"})
    dear = await published(owner, "Dear", plan={**PLAN, "stock": 9})
    items = [{"product_id": dear["id"], "quantity": 3}, {"product_id": cheap["id"]}]
    placed = await stranger.post("/orders", json={"items": items})
    assert placed.status_code == 201, placed.text
    order = placed.json()
    assert order["status"] == "pending"
    assert order["total"] == {"amount": 3 * 1999 + 500, "currency": "EUR", "minor_units": 2}
    first, second = order["items"]
    assert (first["product_id"], first["name"], first["vendor"], first["quantity"]) == (dear["id"], "Dear", "owner", 3)
    assert (first["price"]["amount"], first["total"]["amount"], first["price_number"]) == (1999, 5997, 1)
    assert first["plan"]["calls"] == 10000
    assert second["quantity"] == 1
    path = f"/orders/{order['id']}"
    assert (await stranger.get(path)).json() == order
    etag = (await owner.get(f"/products/{dear['id']}")).headers["etag"]
    assert etag == f'"{dear["revision"]}"'  # a sale is no change that a vendor has to read first

    await owner.patch(f"/products/{dear['id']}", json={"price": {"amount": 9999, "currency": "EUR"}, "name": "Dearer"})
    await owner.patch(f"/products/{dear['id']}", json={"plan": {"period": "day", "rows": 1}})
    await owner.post(f"/products/{dear['id']}/archive")
    assert (await stranger.get(path)).json() == order
    again = await ordered(stranger, cheap)
    assert again.json()["total"]["amount"] == 500


async def test_an_order_has_items_of_several_vendors_and_one_currency(owner: Caller, stranger: Caller) -> None:
    for vendor in (owner, stranger):
        await served(vendor)
    mine, theirs = await published(owner), await published(stranger)
    yen = await published(stranger, "Yen", price={"amount": 5, "currency": "JPY"}, plan={**PLAN, "stock": 1})
    both = await ordered(owner, theirs, mine, quantity=2)
    assert [item["vendor"] for item in both.json()["items"]] == ["stranger", "owner"]
    mixed = await ordered(owner, mine, yen)
    assert (mixed.status_code, mixed.json()["errors"][0]["loc"]) == (422, ["body", "items", 1])
    assert await left(stranger, yen) == 1


async def test_what_cannot_be_ordered(owner: Caller, stranger: Caller) -> None:
    await served(owner)
    draft, product = await drafted(owner, "Draft"), await published(owner, plan={**PLAN, "stock": 2})
    absent = await ordered(stranger, {"id": owner.user_id})
    hidden = await ordered(stranger, draft)
    assert hidden.status_code == absent.status_code == 404
    assert hidden.json()["type"] == absent.json()["type"] == "urn:argosy:problem:product-not-found"
    assert (await ordered(owner, draft)).json()["type"] == "urn:argosy:problem:not-on-sale"
    many = await ordered(stranger, product, quantity=3)
    assert (many.status_code, many.json()["type"]) == (409, "urn:argosy:problem:sold-out")
    await owner.post(f"/products/{product['id']}/archive")
    assert (await ordered(stranger, product)).json()["type"] == "urn:argosy:problem:not-on-sale"
    one = {"product_id": product["id"], "quantity": 1}
    bodies: list[dict[str, Any]] = [
        {"items": []},
        {"items": [one, one]},
        {"items": [{**one, "quantity": 0}]},
        {"items": [{**one, "quantity": 101}]},
        {"items": [{**one, "quantity": 1.5}]},
        {"items": [{**one, "price": 1}]},
        {"items": [one], "total": {"amount": 1, "currency": "EUR"}},
        {},
    ]
    for wrong in bodies:
        assert (await stranger.post("/orders", json=wrong)).status_code == 422, wrong


async def test_an_order_is_its_customers(owner: Caller, stranger: Caller, client: httpx2.AsyncClient) -> None:
    await served(owner)
    product = await published(owner)
    order = (await ordered(stranger, product)).json()
    for method, path in (("GET", ""), ("POST", "/cancel")):
        assert (await owner.request(method, f"/orders/{order['id']}{path}")).status_code == 404
        assert (await client.request(method, f"/api/v1/orders/{order['id']}{path}")).status_code == 401
    assert (await owner.get("/orders")).json()["total"] == 0
    assert [one["id"] for one in (await stranger.get("/orders")).json()["items"]] == [order["id"]]
    assert (await stranger.get("/orders?status=paid")).json()["items"] == []
    assert (await stranger.get("/orders?status=pending&cursor=")).json()["items"] == [order]


async def test_an_order_is_cancelled_once_and_gives_back_what_it_took(owner: Caller, stranger: Caller) -> None:
    await served(owner)
    product = await published(owner, plan={**PLAN, "stock": 5})
    order = await ordered(stranger, product, quantity=5)
    assert await left(owner, product) == 0
    low = await owner.patch(f"/products/{product['id']}", json={"plan": {**PLAN, "stock": 4}})
    assert low.json()["type"] == "urn:argosy:problem:stock-below-sold"
    path = f"/orders/{order.json()['id']}/cancel"
    assert (await stranger.post(path, headers={"If-Match": '"9"'})).status_code == 412
    answers = await asyncio.gather(*(stranger.post(path) for _ in range(8)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] == 200
    assert set(codes[1:]) <= {409, 412}
    assert await left(owner, product) == 5
    assert (await stranger.post(path)).json()["type"] == "urn:argosy:problem:order-status-conflict"


async def test_a_repeated_order_is_placed_once(owner: Caller, stranger: Caller) -> None:
    await served(owner)
    product = await published(owner, plan={**PLAN, "stock": 5})
    once = {"Idempotency-Key": "order-1"}
    answers = await asyncio.gather(*(ordered(stranger, product, headers=once) for _ in range(4)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await left(owner, product) == 4
    other = await ordered(stranger, product, quantity=2, headers=once)
    assert other.json()["type"] == "urn:argosy:problem:idempotency-key-reused"


async def test_of_fifty_buyers_of_the_last_one_gets_it(owner: Caller, stranger: Caller) -> None:
    await served(owner)
    product = await published(owner, plan={**PLAN, "stock": 1})
    answers = await asyncio.gather(*(settled(buyer, product) for buyer in (owner, stranger) * 25))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 49
    assert {answer.json().get("type") for answer in answers if answer.status_code == 409} == {
        "urn:argosy:problem:sold-out"
    }
    assert await left(owner, product) == 0
    totals = [(await buyer.get("/orders")).json()["total"] for buyer in (owner, stranger)]
    assert sum(totals) == 1


async def test_buyers_of_the_same_things_in_another_order_do_not_block_each_other(
    owner: Caller, stranger: Caller
) -> None:
    await served(owner)
    await served(stranger)
    plan = {**PLAN, "stock": 1000}
    products = [await published(vendor, name, plan=plan) for vendor in (owner, stranger) for name in ("A", "B")]
    orders = [products, products[::-1]] * 10
    answers = await asyncio.gather(*(settled(owner, *some) for some in orders))
    assert {answer.status_code for answer in answers} == {201}
    assert [await left(owner, product) for product in products] == [980] * 4


async def test_a_price_that_changes_meanwhile_is_charged_as_it_is_by_then(owner: Caller, stranger: Caller) -> None:
    await served(owner)
    product = await published(owner)

    async def price(amount: int) -> None:
        for _ in range(20):
            price = {"amount": amount, "currency": "EUR"}
            if (await owner.post(f"/products/{product['id']}/prices", json=price)).status_code == 201:
                return

    answers, _ = await asyncio.gather(
        asyncio.gather(*(settled(stranger, product) for _ in range(10))),
        asyncio.gather(*(price(amount) for amount in (100, 200, 300))),
    )
    history = (await owner.get(f"/products/{product['id']}/prices")).json()["items"]
    amounts = {one["number"]: one["price"]["amount"] for one in history}
    for answer in answers:
        (item,) = answer.json()["items"]
        assert item["price"]["amount"] == amounts[item["price_number"]] == answer.json()["total"]["amount"]


async def test_an_order_outlives_its_vendor(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    await owner.post("/organizations", json={"slug": "firm", "name": "Firm"})
    firm = {"X-Organization": "firm"}
    await owner.post("/models", json={"name": "sizes"}, headers=firm)
    product = (await owner.post("/products", json=body("P", "firm/sizes"), headers=firm)).json()
    async with app.state.database.write() as session:
        published = update(Product).where(Product.id == UUID(product["id"])).values(status=ProductStatus.PUBLISHED)
        await session.execute(published)
    order = (await ordered(stranger, product)).json()
    assert (await owner.delete("/organizations/firm")).status_code == 204
    shown = (await stranger.get(f"/orders/{order['id']}")).json()
    assert shown["items"] == [{**order["items"][0], "product_id": None}]
    assert (await stranger.post(f"/orders/{order['id']}/cancel")).json()["status"] == "cancelled"


@pytest.mark.parametrize("start", list(OrderStatus))
async def test_every_pair_of_states(
    app: FastAPI, owner: Caller, stranger: Caller, client: httpx2.AsyncClient, start: OrderStatus
) -> None:
    await served(owner)
    product = await published(owner, plan={**PLAN, "stock": 100})
    for end in OrderStatus:
        order = (await ordered(stranger, product)).json()
        before = await left(owner, product)
        async with app.state.database.write() as session:
            await session.execute(update(Order).where(Order.id == UUID(order["id"])).values(status=start))
        allowed = end in ORDER_TRANSITIONS[start]
        async with UnitOfWork(app.state.database) as work:
            service = OrderService(await bound(work, stranger))
            found = select(Order).where(Order.id == UUID(order["id"])).options(selectinload(Order.items))
            row = await service.orders.one_or_none(found)
            assert row is not None
            if allowed:
                await service.move(row, end)
            else:
                with pytest.raises(OrderStatusConflict):
                    await service.move(row, end)
        shown = (await stranger.get(f"/orders/{order['id']}")).json()
        assert shown["status"] == (end if allowed else start), (start, end)
        assert await left(owner, product) == before + (1 if allowed and end in UNSOLD else 0)


async def test_a_list_costs_the_same_statements_however_long(app: FastAPI, owner: Caller) -> None:
    async def cost() -> int:
        with statements(app.state.database, "FROM order") as noted:
            await owner.get("/orders?size=100")
        return len(noted)

    await served(owner)
    product = await published(owner)
    await ordered(owner, product)
    one = await cost()
    for _ in range(9):
        await ordered(owner, product)
    assert await cost() == one == 3  # the orders and their number, the items


@on_sqlite
async def test_every_change_is_an_event(app: FastAPI, owner: Caller) -> None:
    await served(owner)
    order = (await ordered(owner, await published(owner))).json()
    await owner.post(f"/orders/{order['id']}/cancel")
    async with app.state.database.read() as session:
        found = await session.scalars(select(Event).where(Event.kind.startswith("order.")).order_by(Event.id))
        told = [(one.kind, one.subject, one.payload) for one in found]
    payload = {"total": 1999, "currency": "EUR"}
    assert told == [("order.placed", order["id"], payload), ("order.cancelled", order["id"], payload)]
