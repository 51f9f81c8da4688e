"""The statement of a month: what was used of what an order bought, exactly, to its customer and its vendors."""

import csv
import io
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from argosy import migrations
from argosy.kit.clock import today
from argosy.kit.db.tenancy import NOBODY, Actor
from argosy.orders.models import OrderItem
from argosy.orders.states import OrderStatus
from argosy.usage.models import OrderItemUsage
from tests.orders.test_orders import ordered
from tests.support.callers import Caller, actor
from tests.support.entitlements import granted, move, of_order, with_key
from tests.support.products import PLAN, published, served
from tests.support.statements import statements
from tests.usage.test_counting import entry

FORMULA = '=HYPERLINK("x")'


@pytest.fixture
async def order(app: FastAPI, owner: Caller, stranger: Caller) -> dict[str, Any]:
    """An order of two products of a vendor and one of the customer's own, which was used in October and November."""
    await served(owner)
    await served(stranger)
    sizes = await published(owner, "Sizes")
    more = await published(owner, FORMULA, plan={**PLAN, "calls": None, "rows": 70, "period": "day"})
    own = await published(stranger, "Own")
    placed = await ordered(stranger, sizes, more, own, quantity=3)
    assert placed.status_code == 201, placed.text
    bought = {item.product_id: item.id for item in await items_of(app, placed.json()["id"])}
    one, two, three = UUID(sizes["id"]), UUID(more["id"]), UUID(own["id"])
    of_one = {"product_id": one, "order_item_id": bought[one]}
    days = [date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 30), date(2026, 12, 1)]
    app.state.meter.record(
        b"".join(entry(stranger, day=day, **of_one).line() * 2**number for number, day in enumerate(days))
        + entry(stranger, day=days[1], version=2, rows=7, **of_one).line()
        + entry(stranger, product_id=two, order_item_id=bought[two], day=days[2], outcome="refused").line()
        + entry(stranger, product_id=three, order_item_id=bought[three], day=days[1]).line() * 9
        + entry(owner, product_id=one, day=days[1]).line() * 50
        + entry(stranger, day=days[1]).line() * 60
    )
    await app.state.meter.flush()
    found: dict[str, Any] = placed.json()
    return found


async def items_of(app: FastAPI, order_id: str) -> list[OrderItem]:
    async with app.state.database.read() as session:
        return list(await session.scalars(select(OrderItem).where(OrderItem.order_id == UUID(order_id))))


async def shown(caller: Caller, order: dict[str, Any], month: str = "2026-11") -> dict[str, Any]:
    answer = await caller.get(f"/orders/{order['id']}/statement?month={month}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_customer_sees_all_items_with_what_it_used_in_the_month(
    stranger: Caller, order: dict[str, Any]
) -> None:
    found = await shown(stranger, order)
    assert (found["month"], found["since"], found["until"]) == ("2026-11", "2026-11-01", "2026-11-30")
    first, second, third = found["items"]
    assert (first["name"], first["period"], first["quota"]) == ("Sizes", "month", {"calls": 30_000, "rows": None})
    assert (first["calls"], first["rows"]) == (2 + 4 + 1, 2 * 6 + 7)
    assert (first["price"]["amount"], first["total"]["amount"]) == (1999, 5997)
    assert (second["period"], second["quota"]) == ("day", {"calls": None, "rows": 210})
    assert (second["calls"], second["rows"]) == (0, 0), "what was refused is not used"
    assert (third["vendor"], third["calls"]) == ("stranger", 9)
    assert (found["calls"], found["total"]) == (16, order["total"])
    months = [(await shown(stranger, order, month))["calls"] for month in ("2026-10", "2026-12", "2027-01", "1999-02")]
    assert months == [1, 8, 0, 0]


async def test_it_says_what_usage_says(stranger: Caller, order: dict[str, Any]) -> None:
    for item in (await shown(stranger, order))["items"]:
        path = f"/usage?group_by=product&product={item['product_id']}&since=2026-11-01&until=2026-11-30"
        usage = (await stranger.get(path)).json()
        assert (usage["calls"], usage["rows"]) == (item["calls"], item["rows"])


async def test_a_vendor_sees_its_items_and_nothing_of_the_others(owner: Caller, order: dict[str, Any]) -> None:
    found = await shown(owner, order)
    assert [(item["name"], item["calls"]) for item in found["items"]] == [("Sizes", 7), (FORMULA, 0)]
    assert (found["calls"], found["total"]["amount"]) == (7, 2 * 5997)


async def test_csv_says_the_same_and_holds_no_formula(stranger: Caller, order: dict[str, Any]) -> None:
    path = f"/orders/{order['id']}/statement?month=2026-11"
    items = (await shown(stranger, order))["items"]
    for asked, headers in ((f"{path}&format=csv", {}), (path, {"Accept": "text/csv"})):
        answer = await stranger.get(asked, headers=headers)
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert f"statement-{order['id']}-2026-11.csv" in answer.headers["content-disposition"]
        lines = list(csv.DictReader(io.StringIO(answer.text)))
        for line, item in zip(lines, items, strict=True):
            assert (line["product_id"], line["period"]) == (item["product_id"], item["period"])
            assert (int(line["calls"]), int(line["rows"])) == (item["calls"], item["rows"])
            assert (int(line["total"]), line["currency"]) == (item["total"]["amount"], "EUR")
        assert lines[1]["product"] == f"'{FORMULA}"
        assert (lines[0]["quota_calls"], lines[0]["quota_rows"]) == ("30000", "")


async def test_of_others_there_is_no_order_and_a_month_is_a_month(
    owner: Caller, stranger: Caller, order: dict[str, Any]
) -> None:
    served_own = await ordered(stranger, {"id": order["items"][2]["product_id"]})
    hidden = await owner.get(f"/orders/{served_own.json()['id']}/statement?month=2026-11")
    absent = await owner.get(f"/orders/{UUID(int=1)}/statement?month=2026-11")
    assert (hidden.status_code, hidden.json()["type"]) == (404, absent.json()["type"])
    for month in ("2026-13", "2026-1", "0000-01", "november", "2026-11-01", "2\N{ARABIC-INDIC DIGIT ZERO}26-11", ""):
        refused = await stranger.get(f"/orders/{order['id']}/statement", params={"month": month})
        assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, ["query", "month"]), month


async def test_it_costs_the_same_however_many_items_there_are(
    app: FastAPI, owner: Caller, stranger: Caller, order: dict[str, Any]
) -> None:
    one = (await ordered(stranger, {"id": order["items"][0]["product_id"]})).json()
    counts = []
    for placed in (one, order):
        for caller in (stranger, owner):
            with statements(app.state.database, "FROM orders", "FROM order_items", "FROM order_item_usage") as seen:
                await shown(caller, placed)
            counts.append(len(seen))
    assert counts == [3, 3, 3, 3]


async def paid(app: FastAPI, buyer: Caller, product_id: str) -> dict[str, Any]:
    order: dict[str, Any] = (await ordered(buyer, {"id": product_id})).json()
    await move(app, order["id"], OrderStatus.PAID)
    await of_order(buyer, order["id"])
    return order


async def used_of(app: FastAPI, callers: tuple[Caller, ...], *orders: dict[str, Any]) -> list[tuple[int, int]]:
    """What each party's statement of each order says: calls and rows, the same to all of them."""
    await app.state.meter.flush()
    found = [[await shown(caller, order, f"{today():%Y-%m}") for order in orders] for caller in callers]
    figures = [[(one["calls"], one["rows"]) for one in told] for told in found]
    assert all(told == figures[0] for told in figures)
    return figures[0]


async def test_each_of_several_orders_of_a_product_has_what_took_of_its_own_quota(
    app: FastAPI, owner: Caller, stranger: Caller
) -> None:
    gift = await granted(owner, stranger, {"period": "year", "calls": 2}, ends_at="2999-01-01T00:00:00Z")
    product = await published(owner, "Sizes", plan={"period": "year", "calls": 3})
    first, second = [await paid(app, stranger, product["id"]) for _ in range(2)]
    for _ in range(2 + 3 + 1):  # what ends first is used up first, and that is what was given without an order
        assert (await with_key(stranger)).status_code == 200
    assert await used_of(app, (stranger, owner), first, second) == [(3, 3), (1, 1)]
    await owner.post(f"/entitlements/{gift['id']}/revoke")
    lines = b'{"width": 3.0, "height": 4.0}\n' * 2
    streamed = await stranger.post("/models/owner/sizes/predict/stream", content=lines)
    assert streamed.status_code == 200
    assert await used_of(app, (stranger, owner), first, second) == [(3, 3), (3, 3)]


async def test_what_was_counted_before_orders_were_is_that_of_the_only_one(
    app: FastAPI, owner: Caller, stranger: Caller
) -> None:
    await served(owner)
    once = await published(owner, "Once", plan={"period": "year", "calls": 3})
    only = await paid(app, stranger, once["id"])
    assert (await with_key(stranger)).status_code == 200
    await owner.post(f"/entitlements/{(await of_order(stranger, only['id']))['id']}/revoke")
    twice = await published(owner, "Twice", plan={"period": "year", "calls": 3})
    orders = [await paid(app, stranger, twice["id"]) for _ in range(2)]
    assert (await with_key(stranger)).status_code == 200
    assert await used_of(app, (stranger, owner), only, *orders) == [(1, 1), (1, 1), (0, 0)]
    await migrations.downgrade(app.state.database, "0018")
    await migrations.upgrade(app.state.database)
    assert await used_of(app, (stranger, owner), only, *orders) == [(1, 1), (0, 0), (0, 0)]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has no row-level security
async def test_rows_alone_let_customer_and_vendor_read_and_nobody_else(
    app: FastAPI, owner: Caller, stranger: Caller, order: dict[str, Any]
) -> None:
    counts = []
    for who in (actor(stranger), actor(owner), Actor.member(UUID(int=1)), NOBODY):
        async with app.state.database.read(who) as session:
            counts.append(await session.scalar(select(func.coalesce(func.sum(OrderItemUsage.calls), 0))))
    assert counts == [25, 16, 0, 0]
