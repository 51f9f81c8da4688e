"""All that differs between SQLite and PostgreSQL, in one place."""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine, Insert, Table, TextClause, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql import ColumnElement

from argosy.kit.db.tenancy import Actor, Binding

READ_ONLY = "argosy_read_only"
_BINDING = "argosy_binding"
_ACTOR = ("argosy__organization", "argosy__person")  # a parameter's name has no dot
_MIGRATION_LOCK = 0x4172676F7379


def async_url(url: str) -> URL:
    """Return the URL with the asynchronous driver of its database."""
    parsed = make_url(url)
    driver = "sqlite+aiosqlite" if parsed.get_backend_name() == "sqlite" else "postgresql+psycopg"
    return parsed.set(drivername=driver)


def require_driver(url: URL) -> None:
    """Fail early, naming the extra, when the driver of the database is not installed."""
    if url.get_backend_name() != "postgresql":
        return
    try:
        import psycopg  # noqa: F401, PLC0415
    except ImportError as error:
        raise RuntimeError("PostgreSQL needs the extra 'postgres': pip install 'argosy[postgres]'") from error


class Releasing(sqlite3.Connection):
    """A connection that lets go of the database when it is closed.

    A task that is cancelled while it reads leaves a statement behind, and for as long as there is one SQLite keeps a
    connection with its locks: nobody else could write until the garbage is collected.
    """

    def close(self) -> None:
        """Roll back what was not committed, and close."""
        with suppress(sqlite3.ProgrammingError):  # it is closed already
            self.rollback()
        super().close()


def connecting(url: URL) -> dict[str, Any]:
    """Return what the driver is told of each connection."""
    return {"factory": Releasing} if url.get_backend_name() == "sqlite" else {}


def prepare(engine: Engine, *, busy_timeout: float) -> None:
    """Set up connections: write-ahead log and immediate write transactions on SQLite, a lock timeout on PostgreSQL."""
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, busy_timeout)
    else:
        _prepare_postgresql(engine, busy_timeout)


def _prepare_sqlite(engine: Engine, busy_timeout: float) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        # The driver's own transactions begin too late and deferred, which loses updates; ours begin below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {int(busy_timeout * 1000)}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get(READ_ONLY, False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _prepare_postgresql(engine: Engine, busy_timeout: float) -> None:
    lock_timeout = str(int(busy_timeout * 1000))
    writing = _set_local("plan_cache_mode", "lock_timeout", *_ACTOR)
    reading = _set_local("plan_cache_mode", "transaction_read_only", "lock_timeout", *_ACTOR)
    # A statement that is run often would get a plan for any parameters: the one of a rare tag for a common one.
    plans = {"plan_cache_mode": "force_custom_plan", "lock_timeout": lock_timeout}

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        # A transaction that is bound to nobody has no rows: row-level security fails closed.
        binding: Binding = options.get(_BINDING) or Binding()
        settings = {"transaction_read_only": "on", **plans, **_settings_of(binding.actor)}
        connection.execute(reading if options.get(READ_ONLY, False) else writing, settings)
        binding.announced = True


def _set_local(*names: str) -> TextClause:
    """Return one statement that sets parameters until the transaction ends; their values are its parameters."""
    return text("SELECT " + ", ".join(f"set_config('{name.replace('__', '.')}', :{name}, true)" for name in names))


def _settings_of(actor: Actor) -> dict[str, str]:
    return dict(zip(_ACTOR, (actor.organization, actor.person), strict=True))


def bound(engine: AsyncEngine, binding: Binding) -> AsyncEngine:
    """Return the engine whose transactions begin with what the binding says by then."""
    return engine.execution_options(**{_BINDING: binding}) if engine.dialect.name == "postgresql" else engine


async def announce(connection: AsyncConnection, actor: Actor) -> None:
    """Bind a transaction that has begun; only PostgreSQL's are ever told."""
    await connection.execute(_set_local(*_ACTOR), _settings_of(actor))


def bypasses_row_security(connection: Connection) -> bool:
    """Tell whether row-level security does not hold for the role of a PostgreSQL connection."""
    if connection.dialect.name != "postgresql":
        return False
    asked = text("SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user")
    return bool(connection.execute(asked).scalar_one())


def insert(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that knows ON CONFLICT."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def upsert_adding(
    dialect: str,
    table: Table,
    *,
    key: Sequence[str],
    add: Sequence[str],
    where: ColumnElement[bool] | None = None,
) -> Insert:
    """Return an INSERT, to be run with rows, that adds to the counters of a row that is there already.

    `where` is that of the unique index of the key, when it is one of some rows only. With the rows in it, the statement
    would be compiled anew each time.
    """
    statement = insert(dialect, table)
    added: dict[str, ColumnElement[Any]] = {name: table.c[name] + statement.excluded[name] for name in add}
    touched = {"updated_at": statement.excluded.updated_at} if "updated_at" in table.c else {}
    return statement.on_conflict_do_update(index_elements=list(key), index_where=where, set_=added | touched)


async def unchecked(connection: AsyncConnection) -> None:
    """Before its transaction, stop SQLite from acting on foreign keys: changing a table there means replacing it."""
    if connection.dialect.name == "sqlite":
        await _pragma(connection, "foreign_keys = OFF")


async def checked(connection: AsyncConnection) -> None:
    """After its transaction, let SQLite act on foreign keys again."""
    if connection.dialect.name == "sqlite":
        await _pragma(connection, "foreign_keys = ON")


async def _pragma(connection: AsyncConnection, pragma: str) -> None:
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None  # noqa: S101 - it is connected
    await driver.execute(f"PRAGMA {pragma}")


def require_references(connection: Connection) -> None:
    """Raise when a migration left a reference to nothing; PostgreSQL would not have let it."""
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            raise RuntimeError(f"the migration broke {len(broken)} references, the first in {broken[0][0]!r}")


def lock_migrations(connection: Connection) -> None:
    """Let one process migrate at a time; SQLite's immediate transaction does it by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})


def is_transient(error: BaseException | None) -> bool:
    """Tell whether a driver's error is about the moment (locked, away), not about the statement."""
    if isinstance(error, sqlite3.OperationalError):
        return any(word in str(error) for word in ("locked", "busy", "unable to open"))
    state = getattr(error, "sqlstate", "") or ""
    # Class 08: connection; 53: resources; 57P: shutdown; 55P03: lock not available; 40: rollback (RFC: SQLSTATE).
    return type(error).__name__ == "OperationalError" or state.startswith(("08", "53", "57P", "55P03", "40"))


def is_disk_full(error: BaseException | None) -> bool:
    """Tell whether the database had no room left."""
    return "disk is full" in str(error) or getattr(error, "sqlstate", "") == "53100"
