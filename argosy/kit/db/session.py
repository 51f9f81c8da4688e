"""The engine and its sessions: one transaction each, read or write, and the type says which."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

from argosy.kit.db import dialects
from argosy.kit.errors import Unavailable
from argosy.settings import DatabaseSettings


class _ReadOnlySession(Session):
    """A synchronous session that refuses to flush changes."""


@event.listens_for(_ReadOnlySession, "before_flush")
def _refuse(session: Session, *_: object) -> None:
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("a read session was asked to write: take a WriteSession")


class ReadSession(AsyncSession):
    """A session in a read-only transaction."""

    sync_session_class: type[Session] = _ReadOnlySession

    @property
    def dialect(self) -> str:
        """The database's name: `sqlite` or `postgresql`."""
        return self.get_bind().dialect.name


class WriteSession(ReadSession):
    """A session in a transaction that may write. Services never commit it; whoever opened it does."""

    sync_session_class = Session

    def wake(self, name: str) -> None:
        """Wake whoever waits for this signal, once the transaction has committed."""
        self.info.setdefault("wakes", set()).add(name)

    @property
    def wakes(self) -> frozenset[str]:
        """The signals to give after the commit."""
        return frozenset(self.info.get("wakes", ()))


class Database:
    """The database of one process."""

    def __init__(self, url: str, settings: DatabaseSettings) -> None:
        parsed = dialects.async_url(url)
        dialects.require_driver(parsed)
        self._timeout = settings.timeout
        self.engine = create_async_engine(
            parsed, pool_size=settings.pool_size, max_overflow=settings.pool_size, pool_timeout=settings.timeout
        )
        dialects.prepare(self.engine.sync_engine, busy_timeout=settings.timeout)
        reader = self.engine.execution_options(**{dialects.READ_ONLY: True})
        self._read = async_sessionmaker(reader, class_=ReadSession, expire_on_commit=False)
        self._write = async_sessionmaker(self.engine, class_=WriteSession, expire_on_commit=False)
        # SQLite takes one writer at a time and its own waiting is unfair: queue the writers of a process in order.
        self._turn = asyncio.Lock() if self.engine.dialect.name == "sqlite" else None
        self._signals: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    @property
    def dialect(self) -> str:
        """The database's name: `sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """Open a read-only transaction."""
        async with self._read() as session, session.begin():
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        """Open a transaction that commits at the end, or rolls back on an error.

        Raises `Unavailable` when other writers hold the database for longer than the timeout.
        """
        async with AsyncExitStack() as stack:
            if self._turn is not None:
                try:
                    # Not wait_for: in Python 3.11 it can take the lock and lose the cancellation.
                    async with asyncio.timeout(self._timeout):
                        await self._turn.acquire()
                except TimeoutError as error:
                    raise Unavailable("the database is busy") from error
                stack.callback(self._turn.release)
            session = await stack.enter_async_context(self._write())
            await stack.enter_async_context(session.begin())
            yield session
        for name in session.wakes:
            self._signals[name].set()

    def signal(self, name: str) -> asyncio.Event:
        """Return the event that is set when a transaction that called `wake(name)` has committed."""
        return self._signals[name]

    async def ping(self) -> None:
        """Raise when the database does not answer."""
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def dispose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


class UnitOfWork:
    """The sessions of one request, opened when first asked for and committed together at its end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stack = AsyncExitStack()
        self._reader: ReadSession | None = None
        self._writer: WriteSession | None = None

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> bool | None:
        return await self._stack.__aexit__(*error)  # type: ignore[arg-type]

    async def read(self) -> ReadSession:
        """Return the request's read session; the write session if it has one, so that it sees its own writes."""
        if self._writer is not None:
            return self._writer
        if self._reader is None:
            self._reader = await self._stack.enter_async_context(self._database.read())
        return self._reader

    async def write(self) -> WriteSession:
        """Return the request's write session."""
        if self._writer is None:
            self._writer = await self._stack.enter_async_context(self._database.write())
        return self._writer
