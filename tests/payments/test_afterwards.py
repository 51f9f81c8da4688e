"""What follows from payments: unpaid orders end, buyers get one mail, vendors see what they sold."""

import asyncio
from datetime import timedelta
from email.message import EmailMessage
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import delete, select, update

from argosy.events.models import Event
from argosy.kit.clock import now
from argosy.kit.db.session import ReadSession
from argosy.orders.models import Order
from argosy.orders.service import OrderService
from argosy.payments import expiry as payments_expiry
from argosy.payments.attending import attend
from argosy.payments.expiry import Expiry
from argosy.payments.models import Payment
from argosy.products.models import Product
from tests.support.callers import Caller
from tests.support.mail import idle, mailbox
from tests.support.payments import another, paid, payment_becomes, placed
from tests.support.products import PLAN

DAY = timedelta(days=1)


def confirmations(app: FastAPI) -> list[EmailMessage]:
    found = mailbox(app, "stranger@example.org")
    return [message for message in found if message["Subject"] == "Your order is paid"]


async def age(app: FastAPI, kind: type[Order | Payment], row_id: str) -> None:
    async with app.state.database.write() as session:
        await session.execute(update(kind).where(kind.id == UUID(row_id)).values(created_at=now() - 2 * DAY))


async def test_an_order_that_nobody_pays_fails_and_gives_back_its_stock(
    app: FastAPI, vendor: Caller, buyer: Caller
) -> None:
    order = await placed(vendor, buyer, plan={**PLAN, "stock": 3})
    product_id = order["items"][0]["product_id"]
    paying, young = await another(buyer, product_id), await another(buyer, product_id)
    await buyer.post(f"/orders/{paying['id']}/pay", json={"payment_method": "never"})
    await payment_becomes(buyer, paying, "processing")
    for one in (order, paying):
        await age(app, Order, one["id"])
    expiry = Expiry(app.state.database, DAY)
    assert await expiry.look() == 1
    shown = [(await buyer.get(f"/orders/{one['id']}")).json()["status"] for one in (order, paying, young)]
    assert shown == ["failed", "pending", "pending"]
    assert (await buyer.get(f"/products/{product_id}")).json()["left"] == 1
    assert await expiry.look() == 0


async def test_an_order_that_cannot_be_ended_keeps_no_other_from_it(
    app: FastAPI, vendor: Caller, buyer: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await placed(vendor, buyer)
    orders = [first, *[await another(buyer, first["items"][0]["product_id"]) for _ in range(3)]]
    for one in orders:
        await age(app, Order, one["id"])
    bad = {UUID(one["id"]) for one in orders[:2]}
    hold = OrderService.hold

    async def held(self: OrderService, order_id: UUID) -> Order | None:
        if order_id in bad:
            raise RuntimeError(str(order_id))
        return await hold(self, order_id)

    monkeypatch.setattr(OrderService, "hold", held)
    monkeypatch.setattr(payments_expiry, "BATCH", 2)  # the bad ones fill the first batch
    expiry = Expiry(app.state.database, DAY)
    assert await expiry.look() == 2
    shown = [(await buyer.get(f"/orders/{one['id']}")).json()["status"] for one in orders]
    assert shown == ["pending", "pending", "failed", "failed"]
    bad.clear()
    assert await expiry.look() == 2


async def test_a_payment_that_is_never_answered_is_cancelled(app: FastAPI, vendor: Caller, buyer: Caller) -> None:
    order = await placed(vendor, buyer)
    await buyer.post(f"/orders/{order['id']}/pay", json={"payment_method": "never"})
    payment = await payment_becomes(buyer, order, "processing")
    await age(app, Payment, payment["id"])
    failed = await payment_becomes(buyer, order, "failed")
    assert failed["failure"]["code"] == "timed_out"
    await paid(buyer, order)


async def test_what_was_paid_for_a_product_that_is_gone_is_given_back(
    app: FastAPI, vendor: Caller, buyer: Caller
) -> None:
    order = await placed(vendor, buyer)
    async with app.state.database.write() as session:  # as when its vendor's organization is deleted
        await session.execute(delete(Product).where(Product.id == UUID(order["items"][0]["product_id"])))
    await paid(buyer, order, status="refunded")
    payment = await payment_becomes(buyer, order, "refunded")
    assert payment["failure"]["code"] == "order_unfulfillable"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_fails_holds_up_nothing_else(app: FastAPI) -> None:
    done = asyncio.Event()

    class Two:
        def __init__(self, _: ReadSession) -> None:
            pass

        async def due(self, _: int) -> list[str]:
            return [] if done.is_set() else ["wrong", "right"]

        async def next_due(self) -> None:
            return None

    async def do(key: str) -> None:
        if key == "wrong":
            raise RuntimeError(key)
        await asyncio.sleep(0.01)
        done.set()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        attending = group.create_task(attend(app.state.database, "test", Two, do))
        await done.wait()
        attending.cancel()


async def test_a_paid_order_is_confirmed_by_one_mail(app: FastAPI, vendor: Caller, buyer: Caller) -> None:
    order = await placed(vendor, buyer)
    await paid(buyer, order)
    for _ in range(200):
        if confirmations(app):
            break
        await asyncio.sleep(0.05)
    (mail,) = confirmations(app)
    assert order["id"] in mail.get_content()
    assert "1 x Sizes (owner): 19.99 EUR" in mail.get_content()
    async with app.state.database.write() as session:  # as after kill -9 before the event was settled
        event = (await session.scalars(select(Event).where(Event.kind == "order.paid"))).one()
        event.next_attempt_at = event.created_at
    await idle(app)
    await idle(app)
    assert len(confirmations(app)) == 1


async def test_a_vendor_sees_what_it_sold_and_nothing_else_of_its_customers(
    app: FastAPI, vendor: Caller, buyer: Caller
) -> None:
    order = await placed(vendor, buyer)
    pending = await another(buyer, order["items"][0]["product_id"])
    await paid(buyer, order)
    shown = (await vendor.get("/sales")).json()
    assert shown["total"] == 2
    assert [one["order_id"] for one in shown["items"]] == [pending["id"], order["id"]]
    sale = shown["items"][1]
    assert sale.pop("created_at")
    price = {"amount": 1999, "currency": "EUR", "minor_units": 2}
    assert sale == {
        "order_id": order["id"],
        "customer": "stranger",
        "product_id": order["items"][0]["product_id"],
        "name": "Sizes",
        "quantity": 1,
        "price": price,
        "total": price,
        "status": "fulfilled",
    }
    assert [one["order_id"] for one in (await vendor.get("/sales?status=fulfilled")).json()["items"]] == [order["id"]]
    first = (await vendor.get("/sales?cursor=&size=1")).json()
    second = (await vendor.get("/sales", params={"cursor": first["next_cursor"], "size": 1})).json()
    assert [one["items"][0]["order_id"] for one in (first, second)] == [pending["id"], order["id"]]
    assert (await buyer.get("/sales")).json()["total"] == 0
    assert (await vendor.get("/orders")).json()["total"] == 0
    assert (await vendor.get(f"/orders/{order['id']}")).status_code == 404
    assert (await vendor.get(f"/orders/{order['id']}/payments")).status_code == 404
