"""Webhooks: believed for their signature, acted on once, and only if they fit what was asked."""

import json
import time
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from argosy.events.models import Event
from argosy.payments.local.provider import HEADER, PURPOSE
from argosy.payments.signatures import sign
from tests.support.callers import Caller
from tests.support.payments import payment_becomes, payments, placed

URL = "/api/v1/payments/webhooks/local"


@pytest.fixture
async def order(vendor: Caller, buyer: Caller) -> dict[str, Any]:
    """An order whose payment is under way, and will not be confirmed by itself."""
    made = await placed(vendor, buyer)
    await buyer.post(f"/orders/{made['id']}/pay", json={"payment_method": "never"})
    made["payment"] = await payment_becomes(buyer, made, "processing")
    return made


def message(order: dict[str, Any], event_id: str = "evt_1", **changes: Any) -> bytes:
    payment = order["payment"]
    told = {"reference": payment["reference"], "status": "succeeded", "amount": 1999, "currency": "EUR"}
    about = {**told, "payment_id": payment["id"], "code": None, "message": None, **changes}
    return json.dumps({"id": event_id, "type": f"intent.{about['status']}", "data": about}).encode()


async def deliver(
    app: FastAPI, http: httpx2.AsyncClient, body: bytes, *, age: int = 0, secret: bytes | None = None
) -> httpx2.Response:
    key = app.state.keys.key(PURPOSE) if secret is None else secret
    headers = {HEADER: sign(key, body, int(time.time()) - age), "Content-Type": "application/json"}
    return await http.post(URL, content=body, headers=headers)


async def status(buyer: Caller, order: dict[str, Any]) -> str:
    return str((await buyer.get(f"/orders/{order['id']}")).json()["status"])


async def test_a_message_is_acted_on_once(
    app: FastAPI, http: httpx2.AsyncClient, buyer: Caller, order: dict[str, Any]
) -> None:
    first = await deliver(app, http, message(order))
    assert (first.status_code, first.json()) == (200, {"received": True, "repeated": False})
    assert await status(buyer, order) in {"paid", "fulfilled"}
    again = await deliver(app, http, message(order))
    assert (again.status_code, again.json()["repeated"]) == (200, True)
    late = await deliver(app, http, message(order, "evt_2", status="failed", code="card_declined"))
    assert late.status_code == 200
    assert await status(buyer, order) in {"paid", "fulfilled"}
    assert [one["status"] for one in await payments(buyer, order)] == ["succeeded"]


async def test_what_is_not_signed_a_moment_ago_is_refused(
    app: FastAPI, http: httpx2.AsyncClient, buyer: Caller, order: dict[str, Any]
) -> None:
    body = message(order)
    good = sign(app.state.keys.key(PURPOSE), body, int(time.time()))
    refused = [
        await deliver(app, http, body, age=301),
        await deliver(app, http, body, age=-301),
        await deliver(app, http, body, secret=b"guessed"),
        await http.post(URL, content=body),
        await http.post(URL, content=body + b" ", headers={HEADER: good}),
        *[await http.post(URL, content=body, headers={HEADER: bad}) for bad in ("", "t=1", "t=x,v1=0", good + ",t=1")],
        await deliver(app, http, b"not json"),
        await deliver(app, http, b'{"id": 1}'),
        await deliver(app, http, b"[]"),
        await deliver(app, http, body, age=-(10**400)),
        await deliver(app, http, b"[" * 100_000),
        *[await deliver(app, http, message(order, bad)) for bad in ("\ud800", "\0")],
    ]
    assert {(one.status_code, one.json()["type"]) for one in refused} == {(400, "urn:argosy:problem:webhook-refused")}
    assert await status(buyer, order) == "pending"
    unknown = await http.post("/api/v1/payments/webhooks/nobody", content=body)
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:argosy:problem:payment-provider-not-found")


@pytest.mark.parametrize("change", [{"amount": 1998}, {"currency": "USD"}])
async def test_a_message_about_another_amount_pays_nothing(
    app: FastAPI, http: httpx2.AsyncClient, buyer: Caller, order: dict[str, Any], change: dict[str, Any]
) -> None:
    assert (await deliver(app, http, message(order, **change))).status_code == 200
    assert await status(buyer, order) == "pending"
    async with app.state.database.read() as session:
        kinds = list(await session.scalars(select(Event.kind).where(Event.kind == "payment.mismatched")))
    assert kinds == ["payment.mismatched"]


async def test_a_message_about_nothing_of_ours_changes_nothing(
    app: FastAPI, http: httpx2.AsyncClient, buyer: Caller, order: dict[str, Any]
) -> None:
    foreign = message(order, reference="pi_other", payment_id="0" * 32)
    assert (await deliver(app, http, foreign)).status_code == 200
    assert await status(buyer, order) == "pending"
