"""Migrations: up from empty, down to empty, up again; the models equal the migrations; on both databases."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect

from argosy import migrations
from argosy.kit.db.session import Database
from argosy.settings import DatabaseSettings


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.db"
        return
    server = request.getfixturevalue("postgres")
    name = server.create()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[Database]:
    database = Database(empty_url, DatabaseSettings())
    yield database
    await database.dispose()


async def tables(database: Database) -> set[str]:
    async with database.engine.connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


async def test_up_down_and_up_again(empty: Database) -> None:
    await migrations.upgrade(empty)
    full = await tables(empty)
    assert {"users", "models", "model_versions", "usage_records", "events"} <= full

    await migrations.downgrade(empty, "base")
    assert await tables(empty) == {"alembic_version"}

    await migrations.upgrade(empty)
    assert await tables(empty) == full
    assert await migrations.current(empty) == migrations.head()


async def test_models_equal_migrations(empty: Database) -> None:
    await migrations.upgrade(empty)
    assert await migrations.differences(empty) == []


async def test_every_constraint_and_index_has_a_name(empty: Database) -> None:
    await migrations.upgrade(empty)

    def unnamed(sync: object) -> list[str]:
        inspector = inspect(sync)
        found = []
        for table in inspector.get_table_names():
            if table == "alembic_version" or "_fts" in table:  # SQLite's own tables of a full-text index
                continue
            for kind in ("foreign_keys", "unique_constraints", "check_constraints", "indexes"):
                found += [f"{table}.{kind}" for item in getattr(inspector, f"get_{kind}")(table) if not item["name"]]
            if not inspector.get_pk_constraint(table)["name"]:
                found.append(f"{table}.pk")
        return found

    async with empty.engine.connect() as connection:
        assert await connection.run_sync(unnamed) == []


async def test_of_several_processes_one_migrates(empty: Database) -> None:
    other = Database(empty.engine.url.render_as_string(hide_password=False), DatabaseSettings(timeout=30))
    try:
        await asyncio.gather(*(migrations.upgrade(database) for database in (empty, other, empty)))
    finally:
        await other.dispose()
    assert await migrations.current(empty) == migrations.head()


async def test_an_unmigrated_database_is_refused(empty: Database) -> None:
    with pytest.raises(migrations.SchemaOutdated, match="argosy db upgrade"):
        await migrations.require_current(empty)


async def test_a_database_of_a_newer_argosy_is_refused(empty: Database) -> None:
    await migrations.upgrade(empty)
    async with empty.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(migrations.SchemaOutdated, match="does not know"):
        await migrations.upgrade(empty)
