"""For whom a transaction acts: bound when the caller is known, and no longer than it lasts."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from argosy.kit.db.session import Database, UnitOfWork
from argosy.kit.db.tenancy import Actor
from argosy.kit.ids import new_id
from argosy.organizations.models import Organization
from argosy.registry.models import Model
from argosy.settings import DatabaseSettings, Settings
from tests.support.callers import Caller, actor
from tests.support.databases import on_postgresql


@pytest.fixture
def database(app: FastAPI) -> Database:
    found: Database = app.state.database
    return found


@pytest.fixture
async def single(settings: Settings, owner: Caller) -> AsyncIterator[Database]:
    """A database with one connection, and a model of the owner in it."""
    await owner.post("/models", json={"name": "mine"})
    opened = Database(settings.database_url, DatabaseSettings(pool_size=1))
    yield opened
    await opened.dispose()


@on_postgresql
async def test_a_binding_ends_with_its_transaction(single: Database, owner: Caller) -> None:
    backends = set()
    for who, expected in ((actor(owner), 1), (None, 0), ("system", 1), (None, 0)):
        if who == "system":
            async with single.read() as session:
                backends.add(await session.scalar(text("SELECT pg_backend_pid()")))
                assert len((await session.scalars(select(Model))).all()) == expected
            continue
        async with UnitOfWork(single) as work:
            if isinstance(who, Actor):
                await work.act_as(who)
            session = await work.read()
            backends.add(await session.scalar(text("SELECT pg_backend_pid()")))
            assert len((await session.scalars(select(Model))).all()) == expected
    async with single.engine.connect() as connection:
        assert (await connection.execute(select(Model.id))).all() == []
    async with single.connection() as connection:  # migrations run in one
        assert len((await connection.execute(select(Model.id))).all()) == 1
    assert len(backends) == 1


@on_postgresql
async def test_a_session_is_bound_whenever_it_was_opened(database: Database, owner: Caller) -> None:
    await owner.post("/models", json={"name": "mine"})
    async with UnitOfWork(database) as work:
        unused, used = await work.read(), await work.write()
        assert (await used.scalars(select(Model))).all() == []
        await work.act_as(actor(owner))
        for session in (unused, used, await work.read()):
            assert len((await session.scalars(select(Model))).all()) == 1


@on_postgresql
async def test_binding_before_the_first_statement_costs_no_statement(database: Database, owner: Caller) -> None:
    async with UnitOfWork(database) as work:
        session = await work.read()
        await work.act_as(actor(owner))
        assert not session._binding.announced


async def test_acting_in_a_new_organization_is_for_a_moment(database: Database, owner: Caller) -> None:
    new = Organization(slug="new", name="New")
    async with UnitOfWork(database) as work:
        await work.act_as(actor(owner))
        session = await work.write()
        session.add(new)
        await session.flush()
        async with session.act_in(new.id):
            session.add(Model(organization_id=new.id, name="first"))
        assert session.actor == actor(owner)
        shown = [model.name for model in await session.scalars(select(Model))]
        assert shown == ([] if database.dialect == "postgresql" else ["first"])
        with pytest.raises(KeyError):
            async with session.act_in(new.id):
                raise KeyError
        assert session.actor == actor(owner)
        assert [model.name for model in await session.scalars(select(Model))] == shown


async def test_an_error_of_the_database_while_acting_elsewhere_is_told(database: Database, owner: Caller) -> None:
    with pytest.raises(DBAPIError, match="nothing"):
        async with UnitOfWork(database) as work:
            await work.act_as(actor(owner))
            session = await work.write()
            async with session.act_in(new_id()):
                await session.execute(text("SELECT * FROM nothing"))


async def test_the_system_stays_the_system(database: Database, owner: Caller) -> None:
    await owner.post("/models", json={"name": "mine"})
    async with database.write() as session:
        async with session.act_in(new_id()):
            assert len((await session.scalars(select(Model))).all()) == 1
        assert len((await session.scalars(select(Model))).all()) == 1


@on_postgresql
async def test_a_read_transaction_refuses_to_write_and_the_next_one_writes(single: Database) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with single.read() as session:
            await session.execute(update(Model).values(description="changed"))
    async with single.write() as session:
        assert len((await session.execute(update(Model).values(description="changed").returning(Model.id))).all()) == 1
