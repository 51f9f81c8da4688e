"""What is paid is granted once, and who grants and who has it may do what."""

import asyncio
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import delete, select, update

from argosy.entitlements.fulfilment import ORDER_PAID, grant_order
from argosy.events.dispatcher import Consumer, Dispatcher
from argosy.events.models import Delivery, Event
from argosy.kit.clock import now
from argosy.orders.states import OrderStatus
from tests.support.callers import Caller
from tests.support.entitlements import ROW, bought, granted, move, with_key
from tests.support.products import PLAN, published, served


async def test_an_order_that_is_paid_grants_each_item_and_is_fulfilled(
    app: FastAPI, owner: Caller, stranger: Caller
) -> None:
    found = await bought(app, owner, stranger, {**PLAN, "rows": 7}, quantity=3)
    assert found["plan"] == {"period": "month", "calls": 30000, "rows": 21, "rate_per_second": 150}
    assert found["models"] == [{"name": "owner/sizes", "alias": "live"}]
    assert (found["status"], found["organization"], found["vendor"]) == ("active", "stranger", "owner")
    shown = (await stranger.get(f"/entitlements/{found['id']}")).json()
    assert shown["current"]["calls"] == {"limit": 30000, "used": 0, "left": 30000}
    assert [one["id"] for one in (await owner.get("/entitlements?as=vendor")).json()["items"]] == [found["id"]]
    assert (await owner.get("/entitlements")).json()["total"] == 0
    assert (await stranger.get("/entitlements?as=vendor")).json()["total"] == 0


async def test_a_payment_that_is_told_again_and_to_two_grants_once(
    app: FastAPI, owner: Caller, stranger: Caller
) -> None:
    found = await bought(app, owner, stranger)
    database = app.state.database
    consumers = (Consumer("entitlements.grant", ORDER_PAID, grant_order),)

    async def again(*, forgotten: bool) -> None:
        async with database.write() as session:
            paid = select(Event.id).where(Event.kind == ORDER_PAID)
            if forgotten:
                await session.execute(delete(Delivery).where(Delivery.event_id.in_(paid)))
            await session.execute(update(Event).where(Event.id.in_(paid)).values(next_attempt_at=now()))
        await asyncio.gather(*(Dispatcher(database, consumers).dispatch_due() for _ in range(2)))

    await again(forgotten=False)
    await again(forgotten=True)
    assert [one["id"] for one in (await stranger.get("/entitlements")).json()["items"]] == [found["id"]]
    assert (await stranger.get(f"/orders/{found['order_id']}")).json()["status"] == "fulfilled"


async def test_two_dispatchers_grant_an_order_once(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    await served(owner)
    products = [await published(owner, name) for name in ("A", "B")]
    items = [{"product_id": product["id"]} for product in products]
    order = (await stranger.post("/orders", json={"items": items})).json()
    consumers = (Consumer("entitlements.grant", ORDER_PAID, grant_order),)
    await move(app, order["id"], OrderStatus.PAID)
    await asyncio.gather(*(Dispatcher(app.state.database, consumers).dispatch_due() for _ in range(2)))
    assert (await stranger.get(f"/orders/{order['id']}")).json()["status"] == "fulfilled"
    assert (await stranger.get("/entitlements")).json()["total"] == 2


async def test_a_refund_takes_back(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    found = await bought(app, owner, stranger)
    assert (await with_key(stranger)).status_code == 200
    await move(app, found["order_id"], OrderStatus.REFUNDED)
    for _ in range(200):
        if (await with_key(stranger)).status_code == 404:
            break
        await asyncio.sleep(0.01)
    assert (await stranger.get(f"/entitlements/{found['id']}")).json()["status"] == "revoked"


async def test_a_vendor_grants_what_is_its_own(owner: Caller, stranger: Caller) -> None:
    found = await granted(owner, stranger, PLAN, quantity=2)
    assert found["plan"]["calls"] == 20000
    assert found["order_id"] is None
    assert (await with_key(stranger)).status_code == 200
    body: dict[str, Any] = {"organization": "owner", "product_id": found["product_id"]}
    assert (await stranger.post("/entitlements", json=body)).status_code == 403
    missing = await owner.post("/entitlements", json={**body, "organization": "nobody"})
    assert missing.json()["type"] == "urn:argosy:problem:organization-not-found"
    past = await owner.post("/entitlements", json={**body, "ends_at": "2020-01-01T00:00:00Z"})
    assert past.json()["errors"][0]["loc"] == ["body", "ends_at"]


async def test_the_vendor_changes_the_terms_and_the_customer_the_keys(owner: Caller, stranger: Caller) -> None:
    found = await granted(owner, stranger, PLAN)
    path = f"/entitlements/{found['id']}"
    upgraded = await owner.patch(path, json={"plan": {"period": "day", "rows": 5}}, headers={"If-Match": '"1"'})
    assert upgraded.json()["plan"] == {"period": "day", "calls": None, "rows": 5, "rate_per_second": None}
    assert (await owner.patch(path, json={"status": "suspended"}, headers={"If-Match": '"1"'})).status_code == 412
    for wrong in ({"status": "suspended"}, {"plan": PLAN}, {"ends_at": "2999-01-01T00:00:00Z"}):
        assert (await stranger.patch(path, json=wrong)).status_code in {403, 422}, wrong
    assert (await stranger.post(f"{path}/revoke")).status_code == 403
    assert (await owner.patch(path, json={"api_keys": []})).status_code == 403
    mine = await stranger.patch(path, json={"api_keys": [stranger.key_id]})
    assert mine.json()["api_keys"] == [stranger.key_id]
    assert (await owner.get(path)).json()["api_keys"] is None
    foreign = await stranger.patch(path, json={"api_keys": [owner.key_id]})
    assert foreign.json()["errors"][0]["loc"] == ["body", "api_keys", 0]


async def test_every_change_of_state(owner: Caller, stranger: Caller) -> None:
    path = f"/entitlements/{(await granted(owner, stranger, PLAN))['id']}"
    for status, expected in (("suspended", 404), ("active", 200)):
        assert (await owner.patch(path, json={"status": status})).json()["status"] == status
        assert (await stranger.post("/models/owner/sizes/predict", json=ROW)).status_code == expected
    assert (await owner.post(f"{path}/revoke")).json()["status"] == "revoked"
    assert (await stranger.post("/models/owner/sizes/predict", json=ROW)).status_code == 404
    for again in (owner.post(f"{path}/revoke"), owner.patch(path, json={"status": "active"})):
        assert (await again).json()["type"] == "urn:argosy:problem:entitlement-status-conflict"


async def test_each_change_is_told_to_both_and_to_neither_who_it_was_of_the_other(
    app: FastAPI, owner: Caller, stranger: Caller
) -> None:
    found = await granted(owner, stranger, PLAN)
    path = f"/entitlements/{found['id']}"
    await owner.patch(path, json={"status": "suspended"})
    await owner.patch(path, json={"status": "active"})
    await owner.patch(path, json={"ends_at": "2999-01-01T00:00:00Z"})
    await owner.post(f"{path}/revoke")
    async with app.state.database.read() as session:
        events = (await session.scalars(select(Event).where(Event.subject == found["id"]).order_by(Event.id))).all()
    for party, known in ((owner, True), (stranger, False)):
        mine = [event for event in events if event.organization_id == UUID(party.organization_id)]
        kinds = [event.kind.partition(".")[2] for event in mine]
        assert kinds == ["granted", "suspended", "resumed", "changed", "revoked"]
        assert {event.actor_id is not None for event in mine} == {known}
        assert {event.address is not None or event.request_id is not None for event in mine} == {known}
