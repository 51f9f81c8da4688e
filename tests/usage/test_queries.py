"""Usage by filter, group, order and page; as CSV that is streamed; on a hundred thousand rows by an index."""

import asyncio
import csv
import io
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_ss_cursor

from argosy.kit.db import totals
from argosy.kit.db.session import Database
from argosy.usage import pages as group_pages
from argosy.usage.export import csv_head
from argosy.usage.live import MOST_EXPORTS
from argosy.usage.pages import READ
from argosy.usage.repository import STREAM_ROWS
from argosy.usage.schemas import GroupBy, UsageSort
from argosy.usage.service import COLUMNS
from bench.filling import analyze
from tests.support.callers import Caller, actor
from tests.support.statements import explain, reads_whole, statements
from tests.usage.test_counting import entry

MANY, DAYS = 100_000, 400
USAGE = "FROM usage_records"
BULK = {
    "sqlite": (
        "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < :many - 1)",
        "lower(hex(randomblob(16)))",
        ":organization_hex",
        "printf('%032x', {})",
        "date('2025-01-01', (n % :days) || ' days')",
    ),
    "postgresql": (
        "WITH numbers(n) AS (SELECT generate_series(0, :many - 1))",
        "gen_random_uuid()",
        "CAST(:organization AS uuid)",
        "lpad(to_hex({}), 32, '0')::uuid",
        "DATE '2025-01-01' + n % :days",
    ),
}


async def fill(database: Database, caller: Caller, many: int = MANY, *, of_products: bool = False) -> None:
    """Give an organization rows: two a day of each of many models, of no product or each of one of many vendors'."""
    numbers, identity, organization, ids, day = BULK[database.dialect]
    model = ids.format("n / 800")
    product = ids.format("1000000 + n / 20") if of_products else "NULL"
    statement = (
        "INSERT INTO usage_records (id, organization_id, principal_kind, principal_id, model_id, product_id, model,"
        " version, day, calls, rows, refused, errors, ms_1, ms_10, created_at, updated_at) "
        f"{numbers if database.dialect == 'sqlite' else ''} "
        f"SELECT {identity}, {organization}, 'api_key', {model}, {model}, {product}, 'owner/m' || (n / 800),"
        f" 1 + (n / 400) % 2, {day}, n % 7 + 1, 10, n % 3, n % 5, n % 7, 1, '2025-01-01 00:00:00',"
        " '2025-01-01 00:00:00' FROM numbers"
    )
    if database.dialect == "postgresql":
        statement = f"{numbers} {statement}"
    values = {"many": many, "days": DAYS, "organization": caller.organization_id}
    values["organization_hex"] = UUID(caller.organization_id).hex
    async with database.write() as session:
        await session.execute(text(statement), values)
    await analyze(database)


@pytest.fixture
async def some(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    """A little of everything, and something of somebody else's."""
    meter = app.state.meter
    product = UUID(int=99)
    meter.record(
        entry(owner, model="owner/a", model_id=UUID(int=1), outcome="ms_1").line() * 5
        + entry(owner, model="owner/a", model_id=UUID(int=1), rows=0, outcome="errors").line() * 5
        + entry(owner, model="owner/a", model_id=UUID(int=1), version=2, outcome="ms_100").line() * 2
        + entry(owner, model="owner/b", model_id=UUID(int=2), outcome="ms_more", product_id=product).line() * 3
        + entry(
            owner, model="owner/b", model_id=UUID(int=2), principal_id=UUID(int=5), rows=0, outcome="refused"
        ).line()
        + entry(stranger).line() * 50
    )
    await meter.flush()


async def asked(caller: Caller, query: str) -> dict[str, Any]:
    response = await caller.get(f"/usage?{query}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_filters_choose_what_is_summed(owner: Caller, some: None) -> None:
    everything = await asked(owner, "group_by=model")
    assert (everything["calls"], everything["refused"], everything["errors"]) == (10, 1, 5), "nothing of others'"
    for query, calls in (
        ("model=owner/a", 7),
        ("model=owner/a&version=2", 2),
        (f"key={UUID(int=5)}", 0),
        (f"key={owner.key_id}", 10),
        (f"product={UUID(int=99)}", 3),
        ("until=2020-01-01", 0),
        ("since=2020-01-01", 10),
    ):
        found = await asked(owner, f"group_by=model&{query}")
        assert found["calls"] == sum(item["calls"] for item in found["items"]) == calls, query


async def test_order_is_by_any_figure(owner: Caller, some: None) -> None:
    async def order(sort: str) -> list[Any]:
        found = await asked(owner, f"group_by=version&sort={sort}")
        return [(item["model"], item["version"]) for item in found["items"]]

    assert await order("-calls") == [("owner/a", 1), ("owner/b", 1), ("owner/a", 2)]
    assert (await order("-error_rate"))[0] == ("owner/a", 1)
    assert await order("mean_ms") == [("owner/a", 1), ("owner/a", 2), ("owner/b", 1)]
    refused = await owner.get("/usage?group_by=model&sort=-day")
    assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, ["query", "sort"])


@pytest.mark.parametrize("sort", ["", *UsageSort])
async def test_pages_and_cursors_give_every_group_once(owner: Caller, some: None, sort: str) -> None:
    groups = "&".join(f"group_by={group}" for group in GroupBy if group is not GroupBy.CUSTOMER) + (
        f"&sort={sort}" if sort else ""
    )
    whole = await asked(owner, groups)
    assert whole["total"] == len(whole["items"]) == 4
    by_page = [(await asked(owner, f"{groups}&size=1&page={page}"))["items"] for page in range(1, 5)]
    assert [item for page in by_page for item in page] == whole["items"]
    items: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await asked(owner, f"{groups}&size=3&cursor={cursor}")
        items, cursor = items + page["items"], page["next_cursor"]
        assert (page["calls"], page["errors"], page["latency"]) == (10, 5, whole["latency"]), "of all pages"
    assert items == whole["items"]
    beyond = await asked(owner, f"{groups}&page=9")
    assert (beyond["items"], beyond["total"], beyond["calls"]) == ([], 4, 10)


@pytest.mark.parametrize("query", ["group_by=model", "group_by=model&cursor="])
async def test_no_usage_is_told_by_one_statement(app: FastAPI, owner: Caller, query: str) -> None:
    with statements(app.state.database, "usage_") as made:
        found = await asked(owner, query)
    assert (found["items"], found["calls"]) == ([], 0)
    assert len(made) == 1, "a second could see a call counted since, and of no group"


async def pages(caller: Caller, query: str) -> list[dict[str, Any]]:
    """Pages of a list by number, and by cursor from the first on."""
    found = [await asked(caller, f"{query}&size=30&page={page}") for page in (1, 2, 3, 9)]
    cursor: str | None = ""
    while cursor is not None and len(found) < 10:
        found.append(await asked(caller, f"{query}&size=30&cursor={cursor}"))
        cursor = found[-1]["next_cursor"]
    return found


# Of one row a group; of two; of more than are expected; in the order of a figure, which needs all groups.
@pytest.mark.parametrize(
    ("query", "rows", "cut"),
    [
        ("group_by=version&group_by=day", 4, True),
        ("group_by=day&group_by=model&group_by=key&sort=-day", 4, True),
        ("group_by=day&group_by=model", 1, False),
        ("group_by=day&group_by=model&sort=-calls", 4, False),
    ],
)
async def test_pages_that_are_cut_out_of_the_first_rows_are_the_same(
    app: FastAPI, owner: Caller, query: str, rows: int, cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(app.state.database, owner, 2_000)
    whole = await pages(owner, query)
    monkeypatch.setattr(totals, "MANY", 1)
    monkeypatch.setattr(group_pages, "MANY_GROUPS", 1)
    monkeypatch.setattr(group_pages, "ROWS_A_GROUP", rows)
    await asked(owner, query)
    with statements(app.state.database, "FROM usage_records") as made:
        assert await pages(owner, query) == whole
    assert any(READ in statement for statement, _ in made) is (cut or "sort" not in query)
    assert all(READ in statement for statement, _ in made) is cut


@pytest.mark.parametrize("cursor", ["x", "W10", "WzFd", "bnVsbA", "W251bGwsMV0", "WyJcdTAwMDAiLDFd", "WyJhIiwxZTk5OV0"])
async def test_a_cursor_that_is_none_is_refused(owner: Caller, some: None, cursor: str) -> None:
    refused = await owner.get(f"/usage?group_by=version&cursor={cursor}")
    assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, ["query", "cursor"])


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


async def test_csv_says_the_same(owner: Caller, some: None) -> None:
    found = (await asked(owner, "group_by=version&sort=-calls"))["items"]
    for path, headers in (("format=csv", {}), ("size=1", {"Accept": "text/csv"})):
        answer = await owner.get(f"/usage?group_by=version&sort=-calls&{path}", headers=headers)
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        lines = read(answer.content)
        for line, item in zip(lines, found, strict=True):
            assert (line["model"], int(line["version"])) == (item["model"], item["version"])
            for name in ("calls", "rows", "refused", "errors"):
                assert int(line[name]) == item[name]
            assert float(line["p95_ms"]) == item["latency"]["p95"]["ms"]
    assert (await owner.get("/usage?group_by=model&sort=day&format=csv")).status_code == 422


async def test_so_many_exports_run_at_once(app: FastAPI, owner: Caller) -> None:
    places = app.state.usage_exports
    organization = UUID(owner.organization_id)
    taken = [places.taken(organization) for _ in range(MOST_EXPORTS)]
    for one in taken:
        one.__enter__()
    assert (await owner.get("/usage?format=csv")).status_code == 429
    assert (await owner.get("/usage")).status_code == 200
    for one in taken:
        one.__exit__(None, None, None)
    for _ in range(MOST_EXPORTS + 1):
        assert (await owner.get("/usage?format=csv")).content == csv_head(
            [*COLUMNS[GroupBy.KEY], *COLUMNS[GroupBy.VERSION], "product_id", "day"]
        )


async def test_a_hundred_thousand_rows(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    database: Database = app.state.database
    await fill(database, owner)
    with statements(database, USAGE) as made:
        week = await asked(owner, "group_by=version&group_by=day&since=2025-03-01&until=2025-03-07&sort=-errors")
        assert len(made) == 1, "groups, their number and their sum"
        assert week["total"] == 7 * MANY // DAYS
        page = await asked(owner, "group_by=version&group_by=day&since=2025-03-01&until=2025-03-07&size=200&cursor=")
        assert len(page["items"]) == 200
        assert (len(made), page["calls"]) == (2, week["calls"])
    plan = await explain(database, actor(owner), made[0])
    assert "ix_usage_records_organization_id_day" in plan, plan
    assert not reads_whole(plan, "usage_records"), plan

    with statements(database, USAGE) as made:
        answer = await owner.get("/usage?group_by=version&group_by=day&format=csv")
        lines = read(answer.content)
        assert len(made) == 1
    assert len(lines) == MANY
    assert sum(int(line["calls"]) for line in lines) == (await asked(owner, "group_by=model"))["calls"]


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows the database has given to server-side cursors, part by part."""
    counts: list[int] = []
    original = AsyncAdapt_dbapi_ss_cursor.fetchmany

    def fetchmany(self: Any, size: int | None = None) -> Any:
        rows = original(self, size)
        counts.append(len(rows))
        return rows

    monkeypatch.setattr(AsyncAdapt_dbapi_ss_cursor, "fetchmany", fetchmany)
    return counts


async def test_the_first_part_leaves_before_the_last_row_is_read(
    app: FastAPI, owner: Caller, fetched: list[int]
) -> None:
    await fill(app.state.database, owner, 20_000)
    bodies: list[tuple[int, int]] = []
    received = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        if (message := next(received, None)) is None:
            await asyncio.Event().wait()  # the client stays
        return message or {}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            bodies.append((sum(fetched), len(message["body"])))

    headers = [(b"host", b"argosy.test"), (b"authorization", f"Bearer {owner.token}".encode())]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": "/api/v1/usage", "raw_path": b"/api/v1/usage", "root_path": "", "headers": headers,
        "query_string": b"format=csv&group_by=version&group_by=day",
        "client": ("127.0.0.1", 1), "server": ("argosy.test", 80),
    }  # fmt: skip
    await app(scope, receive, send)
    assert sum(fetched) == 20_000
    assert [read for read, _ in bodies[:3]] == [0, STREAM_ROWS, 2 * STREAM_ROWS]
    assert len(bodies) == 1 + 20_000 // STREAM_ROWS
    assert max(size for _, size in bodies) < 100 * STREAM_ROWS
