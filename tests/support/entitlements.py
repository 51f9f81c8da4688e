"""What an organization bought, as a test has it."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from argosy.orders.models import Order
from argosy.orders.service import OrderService
from argosy.orders.states import OrderStatus
from tests.support.callers import Caller
from tests.support.products import PLAN, published, served

ROW = {"rows": [{"width": 3.0, "height": 4.0}]}
PREDICT = "/models/owner/sizes/predict"


async def move(app: FastAPI, order_id: str, status: OrderStatus) -> None:
    """Bring an order into a state, as a payment does."""
    async with app.state.database.write() as session:
        found = select(Order).where(Order.id == UUID(order_id)).options(selectinload(Order.items))
        order = (await session.scalars(found)).one()
        await OrderService(session).move(order, status)


async def bought(
    app: FastAPI, vendor: Caller, buyer: Caller, plan: dict[str, Any] | None = None, quantity: int = 1, **fields: Any
) -> dict[str, Any]:
    """Have a buyer buy a product over the vendor's private `sizes`; return the entitlement."""
    if (await vendor.get("/models/owner/sizes/card")).status_code != 200:
        await served(vendor)
    product = await published(vendor, f"P{asyncio.get_running_loop().time()}", plan=plan or PLAN, **fields)
    items = [{"product_id": product["id"], "quantity": quantity}]
    order = (await buyer.post("/orders", json={"items": items})).json()
    await move(app, order["id"], OrderStatus.PAID)
    return await of_order(buyer, order["id"])


async def of_order(buyer: Caller, order_id: str) -> dict[str, Any]:
    """Wait for what an order grants."""
    for _ in range(500):
        if (await buyer.get(f"/orders/{order_id}")).json()["status"] == "fulfilled":
            found = (await buyer.get("/entitlements")).json()["items"]
            return next(one for one in found if one["order_id"] == order_id)
        await asyncio.sleep(0.02)
    raise AssertionError("the order was not fulfilled")


async def granted(vendor: Caller, buyer: Caller, plan: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Have a vendor grant its `sizes` without an order; return the entitlement."""
    if (await vendor.get("/models/owner/sizes/card")).status_code != 200:
        await served(vendor)
    product = await published(vendor, f"P{asyncio.get_running_loop().time()}", plan=plan)
    made = await vendor.post(
        "/entitlements", json={"organization": buyer.username, "product_id": product["id"], **fields}
    )
    assert made.status_code == 201, made.text
    entitlement: dict[str, Any] = made.json()
    return entitlement


async def with_key(caller: Caller, body: Any = ROW, path: str = PREDICT, **headers: str) -> httpx2.Response:
    """Predict with an API key, which is what the fast path takes."""
    return await caller.post(path, json=body, headers={"Authorization": f"Bearer {caller.key}", **headers})
