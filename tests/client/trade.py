"""A vendor with a model that has a card, for a customer to buy."""

import json
from pathlib import Path
from typing import Any

from argosy.client import Argosy
from argosy.client.trade import Product
from tests.support.models import classifier_sample, linear_classifier

SELLING = ("products:read", "products:write", "orders:read", "sales:read", "entitlements:read", "entitlements:write")
BUYING = ("orders:read", "orders:write", "entitlements:read", "entitlements:write")
PLAN: dict[str, Any] = {"period": "month", "calls": 3}


def served(vendor: Argosy, folder: Path) -> str:
    """Push a model of sizes, and publish its card; return its full name."""
    model, sample = folder / "sizes.onnx", folder / "sample.json"
    model.write_bytes(linear_classifier())
    sample.write_text(json.dumps(classifier_sample()))
    vendor.push(model, name="sizes", sample=sample)
    vendor.set_card("sizes", "Tells small from large.", published=True)
    return vendor.full_name("sizes")


def on_sale(vendor: Argosy, folder: Path) -> Product:
    """Put a product over it on sale."""
    made = vendor.create_product("Sizes", [served(vendor, folder)], price=1999, currency="EUR", plan=PLAN)
    return vendor.publish_product(made.id)
