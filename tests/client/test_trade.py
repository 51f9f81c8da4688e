"""Products, orders, sales and entitlements through the SDK, against a real server."""

import csv
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from argosy.client import Argosy, ArgosyAPIError, AsyncArgosy, PaymentFailed
from argosy.client.trade import Money
from tests.client.accounts import new_account
from tests.client.trade import BUYING, PLAN, SELLING, on_sale, served
from tests.support.servers import ServerProcess

ROWS = [{"width": 0.1, "height": 0.2}, {"width": 3.0, "height": 4.0}]


@pytest.fixture
def vendor(server: ServerProcess) -> Iterator[Argosy]:
    with new_account(server, *SELLING) as client:
        yield client


@pytest.fixture
def buyer(server: ServerProcess) -> Iterator[Argosy]:
    with new_account(server, *BUYING) as client:
        yield client


@pytest.mark.parametrize(
    ("amount", "currency", "digits", "said"),
    [(1999, "EUR", 2, "19.99 EUR"), (5, "EUR", 2, "0.05 EUR"), (7, "JPY", 0, "7 JPY"), (1001, "KWD", 3, "1.001 KWD")],
)
def test_money_is_for_people_to_read(amount: int, currency: str, digits: int, said: str) -> None:
    assert str(Money(amount=amount, currency=currency, minor_units=digits)) == said


def test_a_product_is_drafted_changed_published_and_archived(
    server: ServerProcess, vendor: Argosy, tmp_path: Path
) -> None:
    full_name = served(vendor, tmp_path)
    draft = vendor.create_product("Sizes", ["sizes"], price=1999, currency="EUR", plan=PLAN, tags=["cloth"])
    assert (draft.status, draft.models, draft.plan.calls) == ("draft", [full_name], 3)
    changed = vendor.update_product(draft.id, revision=draft.revision, name="All sizes")
    with pytest.raises(ArgosyAPIError) as late:
        vendor.publish_product(draft.id, revision=draft.revision)
    assert late.value.status == 412
    assert vendor.set_product_price(draft.id, 2499, "EUR").number == 2
    assert [one.price.amount for one in vendor.product_prices(draft.id)] == [2499, 1999]
    assert [one.name for one in vendor.products(status="draft", vendor=vendor.slug)] == [changed.name]
    vendor.publish_product(draft.id)
    with Argosy(server.url, api_key="") as anybody:
        assert [one.id for one in anybody.products("all", vendor=vendor.slug, tag=["cloth"])] == [draft.id]
        assert anybody.product_facets(vendor=vendor.slug)["vendors"] == [{"value": vendor.slug, "count": 1}]
        assert anybody.product_page(draft.id)["models"][0]["name"] == full_name
        assert f"/api/v1/models/{full_name}/predict" in anybody.product_openapi(draft.id)["paths"]
        assert vendor.archive_product(draft.id).status == "archived"
        assert list(anybody.products(vendor=vendor.slug)) == []
        assert anybody.product(draft.id).status == "archived"
    second = vendor.create_product("Second", ["sizes"], price=1, currency="JPY", plan=PLAN)
    vendor.delete_product(second.id)
    assert list(vendor.products(status="draft")) == []


def test_what_is_ordered_and_paid_is_called_until_the_quota_ends(vendor: Argosy, buyer: Argosy, tmp_path: Path) -> None:
    product = on_sale(vendor, tmp_path)
    order = buyer.place_order({product.id: 2})
    assert (order.status, str(order.total)) == ("pending", "39.98 EUR")
    asked = buyer.pay_order(order.id)
    assert asked.payment.status in {"requested", "processing"}
    assert buyer.wait_for_order(order.id).status == "fulfilled"
    assert [one.status for one in buyer.order_payments(order.id)] == ["succeeded"]
    assert [one.id for one in buyer.orders("fulfilled")] == [order.id]
    (sale,) = vendor.sales()
    assert (sale.customer, sale.quantity, str(sale.total)) == (buyer.slug, 2, "39.98 EUR")
    (entitlement,) = buyer.entitlements("active")
    assert (entitlement.order_id, entitlement.plan.calls) == (order.id, 6)
    for _ in range(6):
        buyer.predict(product.models[0], ROWS)
    with pytest.raises(ArgosyAPIError) as refused:
        buyer.predict(product.models[0], ROWS)
    assert (refused.value.status, refused.value.type) == (429, "urn:argosy:problem:quota-exceeded")
    used = vendor.entitlement(entitlement.id).current
    assert used is not None
    assert (used.calls.limit, used.calls.used, used.calls.left) == (6, 6, 0)
    assert buyer.refund_order(order.id).payment.status in {"refunding", "refunded"}


def test_both_sides_read_the_statement_of_an_order_and_what_was_used(
    vendor: Argosy, buyer: Argosy, tmp_path: Path
) -> None:
    product = on_sale(vendor, tmp_path)
    order = buyer.place_order({product.id: 2})
    buyer.pay_order(order.id)
    buyer.wait_for_order(order.id)
    for _ in range(4):
        buyer.predict(product.models[0], ROWS)
    statement = buyer.order_statement(order.id)
    while statement.calls < 4:  # it is counted in batches; the test's own time limit ends this
        time.sleep(0.05)
        statement = buyer.order_statement(order.id)
    assert (statement.order_id, statement.status, statement.calls, statement.rows) == (order.id, "fulfilled", 4, 8)
    (item,) = statement.items
    assert (item.product_id, item.vendor, item.period, item.quota.calls, item.quota.rows) == (
        product.id, vendor.slug, "month", 6, None,
    )  # fmt: skip
    assert (item.calls, item.rows, str(item.price), str(statement.total)) == (4, 8, "19.99 EUR", "39.98 EUR")
    assert vendor.order_statement(order.id, statement.month) == statement
    assert vendor.order_statement(order.id, statement.until) == statement
    assert buyer.order_statement(order.id, "2020-02").until == date(2020, 2, 29)
    bill = buyer.export_order_statement(tmp_path / "bill.csv", order.id)
    (line,) = csv.DictReader(bill.open(newline=""))
    assert (line["product_id"], line["calls"], line["rows"], line["total"]) == (str(product.id), "4", "8", "3998")
    assert vendor.export_order_statement(tmp_path / "2020.csv", order.id, date(2020, 2, 3)).read_text().count("2020-02")
    with pytest.raises(ArgosyAPIError, match="422"):
        buyer.order_statement(order.id, "november")
    with pytest.raises(ArgosyAPIError, match="422"):
        buyer.export_order_statement(tmp_path / "none.csv", order.id, "november")
    assert not (tmp_path / "none.csv").exists()
    used = vendor.usage("customer", "product", as_vendor=True)
    assert [(row.customer, row.product_id, row.calls, row.principal_id) for row in used.items] == [
        (buyer.slug, product.id, 4, None)
    ]
    assert vendor.usage(as_vendor=True, customer=buyer.slug, product=product.id).rows == 8
    assert vendor.usage(as_vendor=True, customer=vendor.slug).items == vendor.usage("product").items == []
    saved = vendor.export_usage(tmp_path / "sold.csv", "customer", as_vendor=True).read_text().splitlines()
    assert saved[1].startswith(f"{buyer.slug},4,8,0,0,")
    with pytest.raises(ArgosyAPIError, match="422"):
        buyer.usage(customer=vendor.slug)


def test_a_declined_payment_says_why_and_the_order_is_cancelled(vendor: Argosy, buyer: Argosy, tmp_path: Path) -> None:
    order = buyer.place_order({on_sale(vendor, tmp_path).id: 1})
    buyer.pay_order(order.id, "insufficient_funds")
    with pytest.raises(PaymentFailed) as declined:
        buyer.wait_for_order(order.id)
    assert declined.value.payment.failure is not None
    assert declined.value.payment.failure.code == "insufficient_funds"
    with pytest.raises(TimeoutError, match="pending"):
        buyer.pay_order(order.id, "never")
        buyer.wait_for_order(order.id, timeout=0)
    assert buyer.cancel_order(order.id).status == "cancelled"


def test_a_vendor_grants_suspends_extends_and_revokes(vendor: Argosy, buyer: Argosy, tmp_path: Path) -> None:
    product = on_sale(vendor, tmp_path)
    end = datetime(2099, 1, 1, tzinfo=UTC)
    granted = vendor.grant_entitlement(buyer.slug, product.id, ends_at=end)
    assert (granted.organization, granted.ends_at) == (buyer.slug, end)
    assert [one.id for one in vendor.entitlements(granted=True)] == [granted.id]
    assert list(vendor.entitlements()) == []
    changed = vendor.update_entitlement(granted.id, revision=granted.revision, status="suspended")
    assert changed.status == "suspended"
    with pytest.raises(ArgosyAPIError) as late:
        vendor.revoke_entitlement(granted.id, revision=granted.revision)
    assert late.value.status == 412
    assert vendor.revoke_entitlement(granted.id).status == "revoked"
    assert buyer.entitlement(granted.id).status == "revoked"


async def test_the_asynchronous_client_trades_too(vendor: Argosy, buyer: Argosy, tmp_path: Path) -> None:
    served(vendor, tmp_path)
    async with (
        AsyncArgosy(vendor.url, api_key=vendor._api_key, organization=vendor.slug) as seller,
        AsyncArgosy(buyer.url, api_key=buyer._api_key, organization=buyer.slug) as caller,
    ):
        made = await seller.create_product("Sizes", ["sizes"], price=1999, currency="EUR", plan=PLAN)
        await seller.update_product(made.id, description="All of them.")
        await seller.set_product_price(made.id, 2999, "EUR")
        product = await seller.publish_product(made.id)
        assert [one.id async for one in caller.products(vendor=vendor.slug)] == [product.id]
        assert [one.number async for one in caller.product_prices(product.id)] == [2, 1]
        assert (await caller.product_facets(vendor=vendor.slug))["models"][0]["count"] == 1
        assert (await caller.product_page(product.id))["product"]["name"] == "Sizes"
        assert (await caller.product_openapi(product.id))["paths"]
        order = await caller.place_order({product.id: 1})
        await caller.pay_order(order.id)
        assert (await caller.wait_for_order(order.id)).status == (await caller.order(order.id)).status == "fulfilled"
        assert [one.status async for one in caller.order_payments(order.id)] == ["succeeded"]
        assert [one.id async for one in caller.orders()] == [one.order_id async for one in seller.sales()]
        statement = await seller.order_statement(order.id)
        assert (statement.items[0].product_id, statement.status) == (product.id, "fulfilled")
        assert await caller.order_statement(order.id, statement.month) == statement
        assert (await caller.order_statement(order.id, date(2020, 2, 1))).until == date(2020, 2, 29)
        bill = await caller.export_order_statement(tmp_path / "bill.csv", order.id, statement.month)
        assert [line["product_id"] for line in csv.DictReader(bill.open(newline=""))] == [str(product.id)]
        assert (await seller.usage("customer", as_vendor=True)).items == []
        sold = await seller.export_usage(tmp_path / "sold.csv", "customer", as_vendor=True)
        assert sold.read_text().startswith("customer,calls,")
        (entitlement,) = [one async for one in caller.entitlements()]
        assert (await caller.update_entitlement(entitlement.id, api_keys=[])).api_keys == []
        assert (await caller.entitlement(entitlement.id)).current
        assert (await seller.revoke_entitlement(entitlement.id)).status == "revoked"
        granted = await seller.grant_entitlement(buyer.slug, product.id, quantity=2)
        assert [one.id async for one in seller.entitlements("active", granted=True)] == [granted.id]
        await caller.refund_order(order.id)
        assert (await caller.cancel_order((await caller.place_order({product.id: 1})).id)).status == "cancelled"
        await seller.archive_product(product.id)
        draft = await seller.create_product("Draft", ["sizes"], price=1, currency="EUR", plan=PLAN)
        await seller.delete_product(draft.id)
        assert (await caller.product(product.id)).status == "archived"
