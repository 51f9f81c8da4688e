"""Fixtures: a fresh database a test on SQLite and on PostgreSQL, the application over it, and who calls it."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from argosy.app import create_app
from argosy.settings import Settings
from tests.support.callers import Caller, register
from tests.support.databases import PostgresServer, migrate
from tests.support.servers import ServerProcess
from tests.support.settings import make_settings


@pytest.fixture(scope="session")
async def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    await migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[PostgresServer]:
    async with PostgresServer.start() as server:
        yield server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A real server in a process of its own, for tests that use it as a user would."""
    running = ServerProcess(tmp_path_factory.mktemp("server") / "data")
    running.start()
    yield running
    running.stop()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database at the newest revision, of its own for each test."""
    if request.param == "sqlite":
        path = tmp_path / "argosy.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create_from_template()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return make_settings(tmp_path / "data", database_url)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    application = create_app(settings)
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://argosy.test") as http:
        yield http


@pytest.fixture
async def owner(client: httpx2.AsyncClient) -> Caller:
    """Someone who owns the things of a test."""
    return await register(client, "owner")


@pytest.fixture
async def stranger(client: httpx2.AsyncClient) -> Caller:
    """Someone with an account and an organization of their own."""
    return await register(client, "stranger")
