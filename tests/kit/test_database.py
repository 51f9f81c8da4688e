"""Sessions: read means read, a write is whole or not at all, and writers wait their turn."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, StatementError

from argosy.kit.db.session import Database, UnitOfWork
from argosy.kit.errors import Unavailable
from argosy.organizations.models import Organization
from argosy.settings import DatabaseSettings
from tests.support.callers import Caller


def organization(slug: str) -> Organization:
    return Organization(slug=slug, name=slug)


async def test_concurrent_increments_are_all_counted(database: Database) -> None:
    async with database.write() as session:
        session.add(organization("a"))

    async def increment() -> None:
        async with database.write() as session:
            row = (await session.scalars(select(Organization).with_for_update())).one()
            row.name = str(int(row.name if row.name.isdigit() else 0) + 1)

    await asyncio.gather(*(increment() for _ in range(60)))
    async with database.read() as reader:
        assert (await reader.scalars(select(Organization))).one().name == "60"


async def test_a_read_session_cannot_write(database: Database) -> None:
    with pytest.raises(RuntimeError, match="WriteSession"):
        async with database.read() as session:
            session.add(organization("a"))
            await session.flush()


async def test_an_error_undoes_everything(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.write() as session:
            session.add(organization("a"))
            await session.flush()
            raise ZeroDivisionError
    async with database.read() as session:
        assert (await session.scalars(select(Organization))).all() == []


async def test_a_request_sees_its_own_writes_and_leaves_nothing_when_it_fails(database: Database) -> None:
    with pytest.raises(KeyError):
        async with UnitOfWork(database) as work:
            writer = await work.write()
            writer.add(organization("a"))
            await writer.flush()
            assert await work.read() is writer
            raise KeyError
    async with UnitOfWork(database) as work:
        reader = await work.read()
        assert await work.read() is reader
        assert (await reader.scalars(select(Organization))).all() == []


async def test_times_are_aware_and_utc(database: Database) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=timezone(timedelta(hours=5)))
    async with database.write() as session:
        row = organization("a")
        row.created_at = moment
        session.add(row)
    async with database.read() as session:
        stored = (await session.scalars(select(Organization))).one().created_at
    assert stored == moment
    assert stored.utcoffset() == timedelta()
    with pytest.raises(StatementError, match="without a zone"):
        async with database.write() as session:
            row = organization("b")
            row.created_at = datetime(2026, 1, 1)  # noqa: DTZ001 - what is to be refused
            session.add(row)
    assert stored.astimezone(UTC) == moment


async def test_a_busy_database_answers_503_in_time(database: Database) -> None:
    impatient = Database(database.engine.url.render_as_string(hide_password=False), DatabaseSettings(timeout=0.3))
    try:
        async with database.write() as holder:
            holder.add(organization("a"))
            await holder.flush()
            with pytest.raises((Unavailable, DBAPIError)):
                async with impatient.write() as session:
                    session.add(organization("a"))
                    await session.flush()
    finally:
        await impatient.dispose()


async def test_writers_of_one_process_are_served_in_order_or_told_to_come_back(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/a.db", DatabaseSettings(timeout=0.2))
    async with database.write(), asyncio.timeout(2):
        with pytest.raises(Unavailable) as refused:
            async with database.write():
                pass
    assert refused.value.headers == {"Retry-After": "1"}
    await database.dispose()


# Its first row comes late, and others follow.
SLOW = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200010) SELECT i FROM n WHERE i > 200000"
)


async def test_a_task_that_is_cancelled_while_it_reads_lets_go_of_the_database(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/a.db", DatabaseSettings(timeout=1))

    async def work(begun: asyncio.Event) -> None:
        async with database.write() as session:
            await session.execute(text("CREATE TABLE numbers (number INTEGER)"))
            begun.set()
            await session.execute(text(SLOW))

    for _ in range(5):
        begun = asyncio.Event()
        cancelled = asyncio.create_task(work(begun))
        await begun.wait()
        await asyncio.sleep(0.01)
        cancelled.cancel()
        await asyncio.wait({cancelled})
        async with database.write() as session:
            tables = (await session.scalars(text("SELECT name FROM sqlite_master"))).all()
        assert tables == []
    await database.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_api_says_503_while_the_database_is_held_and_recovers(app: FastAPI, owner: Caller) -> None:
    """On SQLite only: there one writer holds the whole database, while PostgreSQL locks rows."""
    database: Database = app.state.database
    async with database.write():
        started = asyncio.get_running_loop().time()
        database._timeout = 0.3
        response = await owner.post("/models", json={"name": "m"})
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        assert asyncio.get_running_loop().time() - started < 5
        assert (await owner.http.get("/healthz")).status_code == 200
    assert (await owner.post("/models", json={"name": "m"})).status_code == 201
