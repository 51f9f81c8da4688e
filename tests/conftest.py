"""Fixtures: a fresh database a test on SQLite and on PostgreSQL, the application over it, and who calls it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from starlette.datastructures import State

from argosy.app import Application, configure, unconfigured
from argosy.kit.db.session import Database
from argosy.registry.sandbox import Sandbox
from argosy.settings import Settings
from tests.support.callers import Caller
from tests.support.conversions import Run, remembering
from tests.support.databases import PostgresServer, migrate
from tests.support.servers import ServerProcess
from tests.support.settings import make_settings
from tests.support.templates import Templates

ACCOUNTS = frozenset({"owner", "stranger"})


@pytest.fixture(scope="session", autouse=True)
def isolated() -> Iterator[Run]:
    """Convert the same upload once, not in a process of its own for every test that pushes it; give what does it."""
    original = Sandbox.run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sandbox, "run", remembering(original))
        yield original


@pytest.fixture(scope="session")
async def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "empty.db"
    await migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    return Templates(tmp_path_factory.mktemp("templates"))


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
    """A database at the newest revision, of its own for each test, with the accounts that the test names."""
    templates: Templates = request.getfixturevalue("templates")
    names = ACCOUNTS & set(request.fixturenames)
    if request.param == "sqlite":
        empty: Path = request.getfixturevalue("sqlite_template")
        yield templates.sqlite(empty, names, tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = templates.postgresql(server, names, tmp_path)
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return make_settings(tmp_path / "data", database_url)


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The database alone."""
    opened = Database(settings.database_url, settings.database)
    yield opened
    await opened.dispose()


@pytest.fixture(scope="session")
def routed() -> Application:
    """The application with its routes, which take longer to make than most tests do."""
    return unconfigured()


@pytest.fixture
async def app(routed: Application, settings: Settings) -> AsyncIterator[FastAPI]:
    routed.state, routed.dependency_overrides = State(), {}
    routed.user_middleware, routed.middleware_stack = [], None
    configure(routed, settings)
    async with routed.router.lifespan_context(routed):
        yield routed


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://argosy.test") as http:
        yield http


@pytest.fixture
def owner(client: httpx2.AsyncClient, templates: Templates) -> Caller:
    """Someone who owns the things of a test."""
    return templates.caller(client, "owner")


@pytest.fixture
def stranger(client: httpx2.AsyncClient, templates: Templates) -> Caller:
    """Someone with an account and an organization of their own."""
    return templates.caller(client, "stranger")
