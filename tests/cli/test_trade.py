"""`argosy products`, `orders`, `sales` and `entitlements`, against a real server."""

import csv
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from argosy.client import Argosy
from tests.cli.conftest import Shell
from tests.client.accounts import new_account
from tests.client.trade import BUYING, SELLING, served
from tests.support.servers import ServerProcess


@pytest.fixture
def vendor(server: ServerProcess, tmp_path: Path) -> Iterator[Argosy]:
    """Someone who sells, with a model that has a card."""
    with new_account(server, *SELLING) as client:
        served(client, tmp_path)
        yield client


@pytest.fixture
def seller(vendor: Argosy, tmp_path: Path) -> Shell:
    return Shell(tmp_path, vendor.url, vendor._api_key)


@pytest.fixture
def buyer(server: ServerProcess, tmp_path: Path) -> Iterator[Shell]:
    with new_account(server, *BUYING) as client:
        yield Shell(tmp_path, client.url, client._api_key)


def created(seller: Shell, *more: str) -> str:
    options = ("--model", "sizes", "--price", "1999", "--calls", "3", *more)
    return str(seller.json("products", "create", "Sizes", *options)["id"])


def test_products_are_made_changed_published_and_listed(vendor: Argosy, seller: Shell, buyer: Shell) -> None:
    assert "--price" in seller.run("products", "create", "Sizes", "--model", "sizes", code=2)
    product = created(seller, "--rate", "5", "--stock", "9", "--tag", "cloth")
    assert "--name" in seller.run("products", "edit", product, code=2)
    assert "changed" in seller.run("products", "edit", product, "--name", "X", "--revision", "9", code=1)
    assert seller.json("products", "edit", product, "--name", "All sizes")["name"] == "All sizes"
    assert "24.99 EUR" in seller.printed("products", "price", product, "2499")
    assert [one["number"] for one in seller.json("products", "prices", product)] == [2, 1]
    assert "not found" in buyer.run("products", "show", product, code=1).lower()
    assert seller.json("products", "publish", product)["status"] == "published"
    listed = buyer.printed("products", "list", "--vendor", vendor.slug, "--tag", "cloth")
    assert "24.99 EUR" in listed
    assert "3 calls a month, 5/s" in listed
    assert "/predict" in buyer.printed("products", "openapi", product)
    assert seller.json("products", "archive", product)["status"] == "archived"
    assert buyer.json("products", "list", "--vendor", vendor.slug) == []
    draft = seller.json("products", "create", "Draft", "--model", "sizes", "--price", "1", "--rows", "1")["id"]
    assert seller.json("products", "delete", draft, "--yes") == {"deleted": draft}


def test_orders_are_placed_paid_cancelled_and_refunded(vendor: Argosy, seller: Shell, buyer: Shell) -> None:
    product = created(seller, "--publish")
    placed = buyer.json("orders", "place", f"{product}=2")
    assert (placed["status"], placed["total"]["amount"]) == ("pending", 3998)
    assert "once" in buyer.run("orders", "place", product, product, code=2)
    assert "=" in buyer.run("orders", "place", f"{product}=two", code=2)
    assert "declined" in buyer.run("orders", "pay", placed["id"], "--method", "declined", code=1)
    assert f"2 x {vendor.slug}: Sizes" in buyer.printed("orders", "pay", placed["id"])
    assert buyer.json("orders", "show", placed["id"])["status"] == "fulfilled"
    assert [one["status"] for one in buyer.json("orders", "payments", placed["id"])] == ["succeeded", "failed"]
    assert "declined" in buyer.printed("orders", "payments", placed["id"])
    assert "39.98 EUR" in seller.printed("sales")
    assert seller.json("sales", "--status", "pending") == []
    assert "39.98 EUR" in buyer.printed("orders", "refund", placed["id"], "--yes")
    second = buyer.json("orders", "place", product)
    assert buyer.json("orders", "pay", second["id"], "--method", "never", "--no-wait")["payment"]["status"]
    assert buyer.json("orders", "cancel", second["id"])["status"] == "cancelled"
    assert [one["id"] for one in buyer.json("orders", "list", "--status", "cancelled")] == [second["id"]]
    assert buyer.json("orders", "place", product, "--pay")["status"] == "fulfilled"


def test_statements_and_usage_are_shown_to_customer_and_vendor(
    vendor: Argosy, seller: Shell, buyer: Shell, tmp_path: Path
) -> None:
    product = created(seller, "--publish")
    order = buyer.json("orders", "place", f"{product}=2", "--pay")["id"]
    buyer.run("predict", f"{vendor.slug}/sizes", "--rows", '[{"width": 0.1, "height": 0.2}]')
    while buyer.json("orders", "statement", order)["calls"] < 1:  # the test's own time limit ends this
        time.sleep(0.05)
    told = buyer.json("orders", "statement", order)
    assert seller.json("orders", "statement", order, "--month", told["month"]) == told
    assert told["items"][0]["quota"] == {"calls": 6, "rows": None}
    shown = seller.printed("orders", "statement", order)
    for text in ("Sizes", "6 calls a month", "19.99 EUR", f"{told['month']}: 1 calls, 1 rows; 39.98 EUR, fulfilled"):
        assert text in shown
    assert "2020-02: 0 calls, 0 rows" in buyer.printed("orders", "statement", order, "--month", "2020-02")
    assert "--month" in buyer.run("orders", "statement", order, "--month", "november", code=2)
    saved = tmp_path / "statement.csv"
    assert "statement.csv" in buyer.printed("orders", "statement", order, "--csv", str(saved))
    (line,) = csv.DictReader(saved.open(newline=""))
    assert (line["product"], line["calls"], line["total"], line["month"]) == ("Sizes", "1", "3998", told["month"])
    assert seller.printed("orders", "statement", order, "--csv", "-").splitlines() == saved.read_text().splitlines()
    assert buyer.json("orders", "statement", order, "--csv", str(saved)) == {"path": str(saved)}
    refused = tmp_path / "refused.csv"
    assert "not found" in buyer.run("orders", "statement", str(UUID(int=1)), "--csv", str(refused), code=1).lower()
    assert not refused.exists()
    used = buyer.printed("usage", "--by", "product", "--csv", "-").splitlines()
    assert used[0].startswith("product_id,calls,")
    assert used[1].startswith(f"{product},1,1,")
    (sale,) = seller.json("sales")
    by = ("--as-vendor", "--by", "customer")
    (row,) = seller.json("usage", *by, "--model", "sizes", "--product", product)["items"]
    assert (row["customer"], row["calls"], row["principal_id"]) == (sale["customer"], 1, None)
    assert sale["customer"] in seller.printed("usage", *by)
    assert seller.json("usage", *by, "--customer", vendor.slug)["items"] == []
    assert "customer" in buyer.run("usage", "--customer", vendor.slug, code=1)


def test_entitlements_are_granted_shown_and_ended(vendor: Argosy, seller: Shell, buyer: Shell) -> None:
    product = created(seller, "--publish")
    buyer.run("orders", "place", product, "--pay")
    (bought,) = buyer.json("entitlements", "list")
    assert "0 of 3" in buyer.printed("entitlements", "show", bought["id"])
    assert f"{vendor.slug}/sizes" in seller.printed("entitlements", "list", "--granted")
    assert "--all" in buyer.run("entitlements", "keys", bought["id"], code=2)
    assert buyer.json("entitlements", "keys", bought["id"], "--all")["api_keys"] is None
    granted = seller.json("entitlements", "grant", bought["organization"], product, "--ends-at", "2099-01-01")
    assert granted["ends_at"] == "2099-01-01T00:00:00Z"
    assert seller.json("entitlements", "suspend", granted["id"])["status"] == "suspended"
    assert seller.json("entitlements", "resume", granted["id"])["status"] == "active"
    assert seller.json("entitlements", "extend", granted["id"], "2100-01-01")["ends_at"].startswith("2100")
    assert seller.json("entitlements", "revoke", granted["id"], "--yes")["status"] == "revoked"


def test_a_key_acts_in_no_other_organization(vendor: Argosy, seller: Shell) -> None:
    assert seller.json("products", "list", "--org", vendor.slug, "--status", "draft") == []
    assert f"act in {vendor.slug}" in seller.run("products", "list", "--org", "lab", code=2)
