"""Paying in tests: over real HTTP, because confirmations come that way."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI

from tests.support.callers import Caller
from tests.support.products import published, served

DELAY = 0.02


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    """Serve a running application on a port of its own; return its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False))
        serving = asyncio.create_task(server.serve([listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app.state.address.found(url)
        while not server.started:  # noqa: ASYNC110 - uvicorn has nothing to wait for
            await asyncio.sleep(0.01)
        try:
            yield url
        finally:
            server.should_exit = True
            await serving


def over(http: httpx2.AsyncClient, caller: Caller) -> Caller:
    """A caller whose calls go through another client."""
    return replace(caller, http=http)


async def placed(vendor: Caller, buyer: Caller, **product: Any) -> dict[str, Any]:
    """Order a new product."""
    if (await vendor.get(f"/models/{vendor.username}/sizes")).status_code == 404:
        await served(vendor)
    on_sale = await published(vendor, **product)
    return await another(buyer, on_sale["id"])


async def another(buyer: Caller, product_id: str) -> dict[str, Any]:
    """Order a product again."""
    made = await buyer.post("/orders", json={"items": [{"product_id": product_id}]})
    assert made.status_code == 201, made.text
    order: dict[str, Any] = made.json()
    return order


async def paid(
    buyer: Caller, order: dict[str, Any], method: str | None = None, status: str = "fulfilled"
) -> dict[str, Any]:
    """Pay an order and wait for what comes of it."""
    body = {"payment_method": method} if method else None
    answer = await buyer.post(f"/orders/{order['id']}/pay", json=body)
    assert answer.status_code == 202, answer.text
    return await becomes(buyer, order, {status})


async def becomes(buyer: Caller, order: dict[str, Any], statuses: Iterable[str]) -> dict[str, Any]:
    """Wait until an order has one of some statuses."""
    shown: dict[str, Any] = {}
    for _ in range(400):
        shown = (await buyer.get(f"/orders/{order['id']}")).json()
        if shown["status"] in statuses:
            return shown
        await asyncio.sleep(0.02)
    raise AssertionError((shown, (await payments(buyer, order))))


async def payments(buyer: Caller, order: dict[str, Any]) -> list[dict[str, Any]]:
    """The payments of an order, newest first."""
    shown: list[dict[str, Any]] = (await buyer.get(f"/orders/{order['id']}/payments")).json()["items"]
    return shown


async def payment_becomes(buyer: Caller, order: dict[str, Any], status: str) -> dict[str, Any]:
    """Wait until the newest payment of an order has a status."""
    shown: list[dict[str, Any]] = []
    for _ in range(400):
        shown = await payments(buyer, order)
        if shown and shown[0]["status"] == status:
            return shown[0]
        await asyncio.sleep(0.02)
    raise AssertionError(shown)
