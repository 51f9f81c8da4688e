"""A product, from its model to its publication."""

from typing import Any

from tests.support.callers import Caller
from tests.support.models import pushed

PLAN: dict[str, Any] = {"period": "month", "calls": 10000, "rate_per_second": 50}


def body(name: str = "Sizes", *models: str, **fields: Any) -> dict[str, Any]:
    """What a product is made from."""
    price = {"amount": 1999, "currency": "EUR"}
    return {"name": name, "price": price, "models": list(models) or ["owner/sizes"], "plan": PLAN, **fields}


async def served(vendor: Caller, name: str = "sizes") -> str:
    """Push a model that has a card; return its full name."""
    await pushed(vendor, name)
    full_name = f"{vendor.username}/{name}"
    await carded(vendor, full_name)
    return full_name


async def carded(vendor: Caller, full_name: str) -> None:
    """Publish the card of a model."""
    card = await vendor.put(f"/models/{full_name}/card", json={"content": "Tells small from large.", "published": True})
    assert card.status_code == 200, card.text


async def drafted(vendor: Caller, name: str = "Sizes", **fields: Any) -> dict[str, Any]:
    made = await vendor.post("/products", json=body(name, f"{vendor.username}/sizes", **fields))
    assert made.status_code == 201, made.text
    product: dict[str, Any] = made.json()
    return product


async def published(vendor: Caller, name: str = "Sizes", **fields: Any) -> dict[str, Any]:
    """Make a product over the vendor's `sizes`, which serves already, and put it on sale."""
    draft = await drafted(vendor, name, **fields)
    answer = await vendor.post(f"/products/{draft['id']}/publish")
    assert answer.status_code == 200, answer.text
    product: dict[str, Any] = answer.json()
    return product
