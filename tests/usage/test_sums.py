"""Sums by day and by month are those of the counters, whoever wrote these; long lists are read from them."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from argosy import migrations
from argosy.kit.db.session import Database
from argosy.usage import repository
from argosy.usage.models import COUNTERS, UsageRecord
from argosy.usage.schemas import UsageFilter
from argosy.usage.sums import Part, UsageDay, UsageMonth, parts
from tests.support.callers import Caller, actor
from tests.support.products import published, served
from tests.support.statements import explain, reads_whole, statements
from tests.usage.test_counting import entry
from tests.usage.test_queries import USAGE, asked, fill

FIRST, DAYS = date(2025, 12, 20), 80
DATES = st.none() | st.dates() | st.dates(date(2025, 12, 1), date(2026, 3, 1))
PERIODS = ["", "&since=2026-01-01", "&until=2026-02-28", "&since=2025-12-25&until=2026-02-10", "&since=2026-01-03",
    "&since=2026-02-01&until=2026-02-28", "&since=2026-01-02&until=2026-01-30", "&until=9999-12-31"]  # fmt: skip


OWN, SOLD = ("model", "day", "key", "version", "product"), ("customer", "model", "day", "product")
NARROWED = [
    (OWN, ""),
    (OWN[2:], "&sort=-calls"),
    (OWN, f"&product={UUID(int=9)}"),
    (OWN, f"&product={UUID(int=0)}"),
    (OWN, "&model=owner/m1"),
    (OWN, f"&key={UUID(int=51)}&version=2"),
    (SOLD, "&as=vendor"),
    (SOLD, "&as=vendor&customer=stranger&sort=-mean_ms"),
]


@contextmanager
def from_counters() -> Iterator[None]:
    """Meanwhile everything is read from the counters themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repository, "parts", lambda _, only: [Part(UsageRecord, only.since, only.until)])
        yield


async def used(app: FastAPI, callers: list[Caller], products: list[UUID | None], seed: int) -> None:
    """Count calls of any caller, model, product and day, in several segments."""
    chance = random.Random(seed)
    for _ in range(3):
        for _ in range(60):
            number = chance.randrange(3)
            fields: dict[str, Any] = {
                "day": FIRST + timedelta(days=chance.randrange(DAYS)),
                "model": f"owner/m{number}",
                "model_id": UUID(int=number),
                "version": chance.randrange(1, 3),
                "principal_id": UUID(int=50 + chance.randrange(3)),
                "product_id": chance.choice(products),
                "outcome": chance.choice(["ms_1", "ms_50", "ms_more", "refused", "errors"]),
            }
            app.state.meter.record(entry(chance.choice(callers), **fields).line() * chance.randrange(1, 4))
        await app.state.meter.flush()


async def test_what_is_read_from_sums_is_what_is_in_the_counters(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    await served(owner)
    product = UUID((await published(owner, "Sizes"))["id"])
    await used(app, [owner, stranger], [None, product, UUID(int=9)], seed=1)
    asks = [
        f"group_by={groups[number % len(groups)]}{narrowed}{period}"
        for groups, narrowed in NARROWED
        for number, period in enumerate(PERIODS)
    ]
    found = [await asked(owner, query) for query in asks]
    assert sum(one["calls"] > 0 for one in found) > 20
    with from_counters():
        for query, one in zip(asks, found, strict=True):
            assert await asked(owner, query) == one, query


async def sums(database: Database, table: type[Any]) -> list[int]:
    async with database.read() as session:
        row = (await session.execute(select(*(func.sum(getattr(table, name)) for name in COUNTERS)))).one()
        return [int(value or 0) for value in row]


async def test_what_was_counted_before_and_beside_the_migration_is_in_the_sums(app: FastAPI, owner: Caller) -> None:
    database: Database = app.state.database
    await migrations.downgrade(database, "0020")
    await used(app, [owner], [None, UUID(int=9)], seed=2)
    await migrations.upgrade(database)
    await used(app, [owner], [None, UUID(int=9)], seed=3)
    counted = await sums(database, UsageRecord)
    assert counted == await sums(database, UsageDay) == await sums(database, UsageMonth)
    assert counted[0] > 0


async def test_several_processes_count_at_once(app: FastAPI, owner: Caller) -> None:
    database: Database = app.state.database
    rows = [
        {"organization_id": UUID(owner.organization_id), "principal_kind": "api_key", "principal_id": UUID(int=50),
         "model_id": UUID(int=7), "model": "owner/sizes", "version": 1, "day": FIRST + timedelta(days=20 * number),
         "product_id": None} | dict.fromkeys(COUNTERS, 1)
        for number in range(3)
    ]  # fmt: skip

    async def count() -> None:
        async with database.write() as session:
            await repository.UsageRepository(session).add_counts(rows, [])

    await asyncio.gather(*(count() for _ in range(8)))
    for table in (UsageRecord, UsageDay, UsageMonth):
        assert await sums(database, table) == [24] * len(COUNTERS), table


@given(since=DATES, until=DATES)
def test_each_day_of_a_period_is_read_once(since: date | None, until: date | None) -> None:
    read = parts(["model"], UsageFilter(since=since, until=until))
    assert (read[0].since, read[-1].until) == (since, until)
    for before, after in pairwise(read):
        assert before.until is not None
        assert before.until + timedelta(days=1) == after.since
    for part in read:
        if part.source is UsageMonth:
            assert part.since is None or part.since.day == 1
            assert part.until is None or (part.until + timedelta(days=1)).day == 1
            assert part.since is None or part.until is None or part.since < part.until


async def test_of_many_rows_sums_are_read(app: FastAPI, owner: Caller) -> None:
    database: Database = app.state.database
    await fill(database, owner, 20_000)
    key = UUID(int=7)
    for query, table in (
        ("group_by=model", "usage_months"),
        ("group_by=key&group_by=version&since=2025-02-01&until=2025-12-31", "usage_months"),
        ("group_by=day&sort=-day", "usage_days"),
        ("group_by=product", "usage_days"),
    ):
        with statements(database, "FROM usage_") as made:
            assert (await asked(owner, query))["calls"] > 0
        assert len(made) == 1, query
        assert (USAGE in made[0][0], f"FROM {table}" in made[0][0]) == (False, True), query
    for query, index in (
        (f"group_by=day&key={key}", "ix_usage_records_organization_id_principal_id_day"),
        ("group_by=day&model=owner/m7", "ix_usage_records_organization_id_model_day"),
    ):
        with statements(database, USAGE) as made:
            assert (await asked(owner, query))["calls"] > 0
        plan = await explain(database, actor(owner), made[0])
        assert index in plan, plan
        assert not reads_whole(plan, "usage_records"), plan
