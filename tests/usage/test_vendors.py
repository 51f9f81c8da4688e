"""What vendors see of the use of their products: who used how much of which, and never by which key."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from argosy.entitlements.periods import span
from argosy.kit.clock import now
from argosy.kit.db.tenancy import NOBODY, Actor
from argosy.products.plans import Period
from argosy.usage.models import UsageRecord
from tests.support.callers import Caller, actor
from tests.support.entitlements import PREDICT, ROW, bought, with_key
from tests.support.products import published, served
from tests.support.statements import explain, reads_whole, statements
from tests.usage.test_counting import counted, entry
from tests.usage.test_queries import USAGE, asked, fill, read

DAYS = (date(2026, 10, 31), date(2026, 11, 1))


@pytest.fixture
async def products(app: FastAPI, owner: Caller, stranger: Caller) -> list[UUID]:
    """Two products of a vendor, used by another organization and by the vendor; and what is nobody's product."""
    await served(owner)
    made = [UUID((await published(owner, name))["id"]) for name in ("Sizes", "More sizes")]
    mine, theirs = made
    app.state.meter.record(
        entry(stranger, product_id=mine, day=DAYS[0]).line() * 3
        + entry(stranger, product_id=mine, day=DAYS[1], principal_id=UUID(int=5)).line() * 4
        + entry(stranger, product_id=theirs, day=DAYS[1]).line() * 5
        + entry(owner, product_id=mine, day=DAYS[1]).line()
        + entry(stranger, model="stranger/own", model_id=UUID(int=8)).line() * 50
        + entry(stranger, model="stranger/own", model_id=UUID(int=8), product_id=UUID(int=9)).line() * 60
    )
    await app.state.meter.flush()
    return made


async def test_a_vendor_sees_who_used_how_much_of_which_product_and_when(
    owner: Caller, stranger: Caller, products: list[UUID]
) -> None:
    found = await asked(owner, "as=vendor")
    first, second = (str(product) for product in products)
    groups = ("customer", "product_id", "model", "day", "calls")
    assert {tuple(item[name] for name in groups) for item in found["items"]} == {
        ("stranger", first, "owner/sizes", "2026-10-31", 3),
        ("stranger", first, "owner/sizes", "2026-11-01", 4),
        ("stranger", second, "owner/sizes", "2026-11-01", 5),
        ("owner", first, "owner/sizes", "2026-11-01", 1),
    }
    assert (found["calls"], found["rows"]) == (13, 26)
    assert all(item["principal_id"] is item["principal_kind"] is None for item in found["items"])
    assert stranger.key_id not in str(found)
    by_customer = await asked(owner, "as=vendor&group_by=customer&sort=-calls")
    assert [(item["customer"], item["calls"]) for item in by_customer["items"]] == [("stranger", 12), ("owner", 1)]
    for query, calls in (
        ("customer=stranger", 12),
        ("customer=nobody", 0),
        (f"product={second}", 5),
        (f"product={UUID(int=9)}", 0),
        ("until=2026-10-31", 3),
        ("model=owner/sizes", 13),
    ):
        assert (await asked(owner, f"as=vendor&group_by=product&{query}"))["calls"] == calls, query
    lines = read((await owner.get("/usage?as=vendor&group_by=customer&format=csv")).content)
    assert [(line["customer"], line["calls"]) for line in lines] == [("owner", "1"), ("stranger", "12")]


async def test_pages_and_cursors_give_every_customer_once(owner: Caller, products: list[UUID]) -> None:
    whole = (await asked(owner, "as=vendor"))["items"]
    items: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await asked(owner, f"as=vendor&size=1&cursor={cursor}")
        items, cursor = items + page["items"], page["next_cursor"]
    assert items == whole


async def test_who_sells_nothing_sees_nothing_and_a_customer_sees_its_own(
    stranger: Caller, products: list[UUID]
) -> None:
    assert (await asked(stranger, "as=vendor"))["items"] == []
    own = await asked(stranger, "group_by=product")
    assert {item["product_id"]: item["calls"] for item in own["items"]} == {
        None: 50,
        str(UUID(int=9)): 60,
        str(products[0]): 7,
        str(products[1]): 5,
    }
    assert all(item["customer"] is None for item in own["items"])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("as=vendor&group_by=key", "group_by"),
        (f"as=vendor&key={UUID(int=5)}", "key"),
        ("group_by=customer", "group_by"),
        ("customer=stranger", "customer"),
        ("as=vendor&customer=A%20B", "customer"),
        ("as=both", "as"),
    ],
)
async def test_what_is_the_other_sides_to_ask_is_refused(owner: Caller, query: str, field: str) -> None:
    for form in ("", "&format=csv"):
        refused = await owner.get(f"/usage?{query}{form}")
        assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, ["query", field])


async def test_a_key_without_the_scope_of_sales_is_refused(owner: Caller) -> None:
    refused = await owner.get("/usage?as=vendor", headers={"Authorization": f"Bearer {owner.key}"})
    assert (refused.status_code, refused.json()["required_scope"]) == (403, "sales:read")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has no row-level security
async def test_rows_alone_let_a_vendor_read_and_nobody_else(
    app: FastAPI, owner: Caller, stranger: Caller, products: list[UUID]
) -> None:
    counts = []
    for who in (actor(owner), actor(stranger), Actor.member(UUID(int=1)), NOBODY):
        async with app.state.database.read(who) as session:
            counts.append(await session.scalar(select(func.coalesce(func.sum(UsageRecord.calls), 0))))
    assert counts == [13, 122, 0, 0]


async def test_real_calls_reach_both_sides(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    entitlement = await bought(app, owner, stranger)
    for _ in range(3):
        assert (await with_key(stranger)).status_code == 200
    path = f"/usage?group_by=product&product={entitlement['product_id']}"
    assert (await counted(stranger, 3, path))["calls"] == 3
    assert (await counted(owner, 3, f"{path}&as=vendor"))["rows"] == 3


async def test_calls_that_fail_are_counted_under_the_product_too(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    entitlement = await bought(app, owner, stranger, {"period": "month", "calls": 1})
    wrong = {"rows": [{"width": "wide", "height": 1.0}]}
    asked_twice = [await with_key(stranger, wrong), await stranger.post(PREDICT, json=wrong)]
    statuses = [answer.status_code for answer in (*asked_twice, *[await with_key(stranger) for _ in range(4)])]
    assert statuses == [422, 422, 200, 429, 429, 429]
    path = f"/usage?group_by=product&product={entitlement['product_id']}"
    for caller, side in ((stranger, path), (owner, f"{path}&as=vendor")):
        found = await counted(caller, 6, side)
        assert (found["calls"], found["refused"], found["errors"]) == (1, 2, 3)


MONTH, DAY = {"period": "month", "calls": 2}, {"period": "day", "calls": 2}


@pytest.mark.parametrize("plans", [(MONTH, MONTH), (DAY, MONTH), (MONTH, DAY)])
async def test_what_a_quota_refuses_is_counted_under_its_product(
    app: FastAPI, owner: Caller, stranger: Caller, plans: tuple[dict[str, Any], ...]
) -> None:
    entitlements = [await bought(app, owner, stranger, plan) for plan in plans]
    answers = [await with_key(stranger) for _ in range(7)]  # from memory, but for the first refusal
    answers.append(await stranger.post(PREDICT, json=ROW))
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 4
    ends = [span(Period(plan["period"]), now()).end for plan in plans]
    assert {datetime.fromisoformat(answer.json()["resets_at"]) for answer in answers[4:]} == {min(ends)}
    refuses = max(place for place, end in enumerate(ends) if end == min(ends))
    for place, entitlement in enumerate(entitlements):
        errors = 4 if place == refuses else 0
        path = f"/usage?group_by=product&product={entitlement['product_id']}"
        for caller, side in ((stranger, path), (owner, f"{path}&as=vendor")):
            found = await counted(caller, 2 + errors, side)
            assert (found["calls"], found["errors"]) == (2, errors), place


async def test_a_rate_is_told_and_counted_where_another_product_is_used_up(
    app: FastAPI, owner: Caller, stranger: Caller
) -> None:
    used_up = await bought(app, owner, stranger, {"period": "month", "calls": 1})
    slow = await bought(app, owner, stranger, {"period": "month", "calls": 100, "rate_per_second": 1})
    refused = [one for one in [await with_key(stranger) for _ in range(12)] if one.status_code == 429]
    assert refused
    assert {(one.json()["type"], one.headers["retry-after"]) for one in refused} == {
        ("urn:argosy:problem:too-many-requests", "1")
    }
    path = f"/usage?group_by=product&product={slow['product_id']}"
    assert (await counted(stranger, 11, path))["errors"] == len(refused)
    assert (await counted(stranger, 1, path.replace(slow["product_id"], used_up["product_id"])))["errors"] == 0


async def test_a_vendor_among_many_is_found_by_an_index(
    app: FastAPI, owner: Caller, stranger: Caller, products: list[UUID]
) -> None:
    database = app.state.database
    await fill(database, stranger, 20_000, of_products=True)
    with statements(database, USAGE) as made:
        found = await asked(owner, "as=vendor&since=2026-11-01&until=2026-11-30")
    assert (len(made), found["calls"]) == (1, 10)
    plan = await explain(database, actor(owner), made[0])
    assert "ix_usage_records_product_id_day" in plan, plan
    assert not reads_whole(plan, "usage_records"), plan
