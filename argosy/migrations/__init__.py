"""Database migrations, packaged with the code they belong to."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from argosy.kit.db.base import Base
from argosy.kit.db.dialects import checked, lock_migrations, require_references, unchecked
from argosy.kit.db.session import Database
from argosy.migrations import tables  # noqa: F401 - fills the metadata

HEAD = "head"


class SchemaOutdated(RuntimeError):
    """The database is at another revision than the code."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config


def is_compared(name: str | None, kind: str, _parents: object) -> bool:
    """Tell whether the models know a table or an index; what full-text search is made of, they do not."""
    return kind not in {"table", "index"} or "_fts" not in (name or "")


@cache
def head() -> str:
    """Return the newest revision, which takes reading all of them."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


async def current(database: Database) -> str | None:
    """Return the database's revision."""
    async with database.connection() as connection:
        return await connection.run_sync(_current)


async def upgrade(database: Database, revision: str = HEAD) -> None:
    """Bring the database up to a revision. Of several processes one does it, and the others wait."""

    def run(connection: Connection) -> None:
        lock_migrations(connection)
        _refuse_newer(_current(connection))
        command.upgrade(_config(connection), revision)
        require_references(connection)

    await _migrate(database, run)


async def _migrate(database: Database, run: Callable[[Connection], None]) -> None:
    async with database.connect() as connection:
        await unchecked(connection)
        try:
            async with connection.begin():
                await connection.run_sync(run)
        finally:
            await checked(connection)


async def downgrade(database: Database, revision: str) -> None:
    """Take the database back to a revision; `base` is empty."""

    def run(connection: Connection) -> None:
        lock_migrations(connection)
        command.downgrade(_config(connection), revision)
        require_references(connection)

    await _migrate(database, run)


async def differences(database: Database) -> list[Any]:
    """Return what differs between the database and the models; empty when they agree."""

    def run(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_compared})
        return list(compare_metadata(context, Base.metadata))

    async with database.connection() as connection:
        return await connection.run_sync(run)


async def revision(database: Database, message: str) -> list[Path]:
    """Write a new migration from what differs; return its files."""

    number = f"{int(head() or 0) + 1:04d}"

    def run(connection: Connection) -> list[Path]:
        made = command.revision(_config(connection), message=message, autogenerate=True, rev_id=number)
        head.cache_clear()
        scripts = made if isinstance(made, list) else [made]
        return [Path(script.path) for script in scripts if script is not None]

    async with database.connection() as connection:
        return await connection.run_sync(run)


async def require_current(database: Database) -> None:
    """Raise `SchemaOutdated` when the database is not at the newest revision."""
    found = await current(database)
    if found != head():
        _refuse_newer(found)
        raise SchemaOutdated(f"the database is at revision {found}, not {head()}: run 'argosy db upgrade'")


def _refuse_newer(found: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaOutdated(f"the database is at revision {found}, which this version of Argosy does not know")
