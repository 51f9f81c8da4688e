"""The statement of a month: what was used of what an order bought, exactly, to its customer and its vendors."""

import csv
import io
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from tests.orders.test_orders import ordered
from tests.support.callers import Caller
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
    one, two = UUID(sizes["id"]), UUID(more["id"])
    days = [date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 30), date(2026, 12, 1)]
    app.state.meter.record(
        b"".join(entry(stranger, product_id=one, day=day).line() * 2**number for number, day in enumerate(days))
        + entry(stranger, product_id=one, day=days[1], version=2, rows=7).line()
        + entry(stranger, product_id=two, day=days[2], outcome="refused").line()
        + entry(stranger, product_id=UUID(own["id"]), day=days[1]).line() * 9
        + entry(owner, product_id=one, day=days[1]).line() * 50
        + entry(stranger, day=days[1]).line() * 60
    )
    await app.state.meter.flush()
    found: dict[str, Any] = placed.json()
    return found


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
            with statements(app.state.database, "FROM orders", "FROM order_items", "FROM usage_records") as seen:
                await shown(caller, placed)
            counts.append(len(seen))
    assert counts == [3, 3, 3, 3]
