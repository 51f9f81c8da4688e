"""Paying orders: a confirmation comes later, each order is charged once, and money has an order to pay for."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from argosy.app import create_app
from argosy.events.models import Event
from argosy.payments.local.models import LocalIntent, LocalWebhook
from argosy.payments.models import Payment
from argosy.payments.provider import IntentStatus
from argosy.payments.states import PaymentStatus
from argosy.settings import PaymentsSettings
from tests.support.callers import Caller
from tests.support.payments import another, becomes, paid, payment_becomes, payments, placed
from tests.support.products import PLAN
from tests.support.settings import make_settings
from tests.support.stripe import KEY, WEBHOOK_SECRET


async def told(app: FastAPI, prefix: str) -> list[str]:
    async with app.state.database.read() as session:
        found = select(Event.kind).where(Event.kind.startswith(prefix)).order_by(Event.id)
        return list(await session.scalars(found))


async def intents(app: FastAPI) -> list[LocalIntent]:
    async with app.state.database.read() as session:
        return list(await session.scalars(select(LocalIntent)))


async def test_an_order_is_paid_once_that_is_confirmed(app: FastAPI, vendor: Caller, buyer: Caller) -> None:
    order = await placed(vendor, buyer)
    answer = await buyer.post(f"/orders/{order['id']}/pay")
    assert answer.status_code == 202, answer.text
    asked = answer.json()
    assert (asked["status"], asked["payment"]["status"]) == ("pending", "requested")
    assert asked["payment"]["amount"] == order["total"]
    assert asked["payment"]["payment_method"] == "approved"
    await becomes(buyer, order, {"fulfilled"})
    (payment,) = await payments(buyer, order)
    assert (payment["status"], payment["failure"], payment["provider"]) == ("succeeded", None, "local")
    (intent,) = await intents(app)
    assert (intent.id, intent.amount, intent.currency) == (payment["reference"], 1999, "EUR")
    assert (await told(app, "order."))[:2] == ["order.placed", "order.paid"]
    assert await told(app, "payment.") == ["payment.requested", "payment.processing", "payment.succeeded"]
    again = await buyer.post(f"/orders/{order['id']}/pay")
    assert (again.status_code, again.json()["type"]) == (409, "urn:argosy:problem:order-status-conflict")


async def test_fifty_who_pay_one_order_charge_it_once(app: FastAPI, vendor: Caller, buyer: Caller) -> None:
    order = await placed(vendor, buyer)

    async def pay() -> httpx2.Response:
        while True:
            answer = await buyer.post(f"/orders/{order['id']}/pay")
            if answer.status_code != 503:
                return answer

    answers = await asyncio.gather(*(pay() for _ in range(50)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["payment"]["id"] for answer in answers if answer.status_code == 202}) == 1
    await becomes(buyer, order, {"fulfilled"})
    assert len(await payments(buyer, order)) == len(await intents(app)) == 1
    assert (await told(app, "order.")).count("order.paid") == 1


@pytest.mark.parametrize(("method", "code"), [("declined", "card_declined"), ("insufficient_funds",) * 2])
async def test_what_is_declined_can_be_paid_again(
    app: FastAPI, vendor: Caller, buyer: Caller, method: str, code: str
) -> None:
    order = await placed(vendor, buyer)
    await buyer.post(f"/orders/{order['id']}/pay", json={"payment_method": method})
    failed = await payment_becomes(buyer, order, "failed")
    assert failed["failure"]["code"] == code
    assert failed["failure"]["message"]
    assert (await buyer.get(f"/orders/{order['id']}")).json()["status"] == "pending"
    await paid(buyer, order)
    assert [one["status"] for one in await payments(buyer, order)] == ["succeeded", "failed"]


@pytest.mark.parametrize("method", ["timeout", "late", "twice", "out_of_order"])
async def test_however_its_confirmation_comes_an_order_is_paid_once(
    app: FastAPI, vendor: Caller, buyer: Caller, method: str
) -> None:
    order = await placed(vendor, buyer)
    await paid(buyer, order, method)
    for _ in range(200):
        async with app.state.database.read() as session:
            waiting = select(func.count()).select_from(LocalWebhook).where(LocalWebhook.due_at.is_not(None))
            if not await session.scalar(waiting):
                break
        await asyncio.sleep(0.02)
    (payment,) = await payments(buyer, order)
    assert payment["status"] == "succeeded"
    assert (await told(app, "order.")).count("order.paid") == 1
    assert len(await intents(app)) == 1


async def test_an_order_declined_too_often_fails_and_gives_back_its_stock(vendor: Caller, buyer: Caller) -> None:
    order = await placed(vendor, buyer, plan={**PLAN, "stock": 1})
    for count in range(1, 11):
        await buyer.post(f"/orders/{order['id']}/pay", json={"payment_method": "declined"})
        await payment_becomes(buyer, order, "failed")
        shown = (await buyer.get(f"/orders/{order['id']}")).json()
        assert shown["status"] == ("pending" if count < 10 else "failed")
    product = (await buyer.get(f"/products/{order['items'][0]['product_id']}")).json()
    assert product["left"] == 1


async def test_a_paid_order_is_refunded_once(app: FastAPI, vendor: Caller, buyer: Caller) -> None:
    order = await placed(vendor, buyer)
    early = await buyer.post(f"/orders/{order['id']}/refund")
    assert (early.status_code, early.json()["type"]) == (409, "urn:argosy:problem:order-status-conflict")
    await paid(buyer, order)

    async def refund() -> httpx2.Response:
        while True:
            answer = await buyer.post(f"/orders/{order['id']}/refund")
            if answer.status_code != 503:
                return answer

    answers = await asyncio.gather(*(refund() for _ in range(10)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    await becomes(buyer, order, {"refunded"})
    assert (await told(app, "order.")).count("order.refunded") == 1
    assert (await told(app, "payment.")).count("payment.refunding") == 1
    assert (await payments(buyer, order))[0]["status"] == "refunded"
    assert (await buyer.post(f"/orders/{order['id']}/refund")).status_code == 409
    assert (await buyer.post(f"/orders/{order['id']}/pay")).status_code == 409


async def test_a_refund_that_is_refused_leaves_the_order_paid_and_says_why(vendor: Caller, buyer: Caller) -> None:
    order = await placed(vendor, buyer)
    await paid(buyer, order, "refund_refused")
    assert (await buyer.post(f"/orders/{order['id']}/refund")).json()["payment"]["status"] == "refunding"
    kept = await payment_becomes(buyer, order, "succeeded")
    assert kept["failure"]["code"] == "refund_refused"
    assert (await buyer.get(f"/orders/{order['id']}")).json()["status"] == "fulfilled"


async def test_money_that_comes_for_a_cancelled_order_goes_back(app: FastAPI, vendor: Caller, buyer: Caller) -> None:
    order = await placed(vendor, buyer)
    await buyer.post(f"/orders/{order['id']}/pay", json={"payment_method": "never"})
    await payment_becomes(buyer, order, "processing")
    assert (await buyer.post(f"/orders/{order['id']}/cancel")).status_code == 200
    failed = await payment_becomes(buyer, order, "failed")
    assert failed["failure"]["code"] == "order_cancelled"
    (intent,) = await intents(app)
    assert intent.status is IntentStatus.FAILED

    order = await another(buyer, order["items"][0]["product_id"])
    async with app.state.database.write() as session:  # the provider has charged, and nobody knows
        await buyer_pays_unseen(session, buyer, order)
    await buyer.post(f"/orders/{order['id']}/cancel")
    returned = await payment_becomes(buyer, order, "refunded")
    assert returned["failure"]["code"] == "order_closed"
    assert (await buyer.get(f"/orders/{order['id']}")).json()["status"] == "cancelled"


async def buyer_pays_unseen(session: Any, buyer: Caller, order: dict[str, Any]) -> None:
    payment = Payment(
        organization_id=UUID(buyer.organization_id),
        order_id=UUID(order["id"]),
        provider="local",
        method="never",
        amount=1999,
        currency="EUR",
        status=PaymentStatus.PROCESSING,
        reference=f"pi_{order['id']}",
        next_attempt_at=None,
    )
    session.add(payment)
    await session.flush()
    session.add(
        LocalIntent(
            id=f"pi_{order['id']}",
            payment_id=payment.id,
            amount=1999,
            currency="EUR",
            method="approved",
            status=IntentStatus.SUCCEEDED,
        )
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("provider", ["local", "stripe"])
async def test_a_server_whose_payments_move_no_money_says_so(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], provider: str
) -> None:
    values = {"provider": provider, "stripe_key": KEY, "stripe_webhook_secrets": [WEBHOOK_SECRET]}
    chosen = PaymentsSettings.model_validate(values)
    app = create_app(make_settings(tmp_path / "data", database_url, payments=chosen))
    async with app.router.lifespan_context(app):
        pass
    assert ("payments_move_no_money" in capsys.readouterr().err) is (provider == "local")
