"""The engine and its sessions: one transaction each, read or write, and the type says which."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Self
from uuid import UUID

from sqlalchemy import event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

from argosy.kit.db import dialects
from argosy.kit.db.pulse import Pulse
from argosy.kit.db.tenancy import NOBODY, SYSTEM, Actor, Binding
from argosy.kit.db.totals import Totals
from argosy.kit.errors import Unavailable
from argosy.kit.logs import get_logger
from argosy.settings import DatabaseSettings

log = get_logger(__name__)


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

    @property
    def actor(self) -> Actor:
        """Whom the session acts for."""
        return self._binding.actor

    @property
    def totals(self) -> Totals:
        """What was counted lately in this database."""
        totals: Totals = self.info["totals"]
        return totals

    async def act_as(self, actor: Actor) -> None:
        """Act for somebody else from here on."""
        self._binding.actor = actor
        # A transaction that has not begun yet reads the binding when it does, which saves a round trip.
        if self._binding.announced:
            await dialects.announce(await self.connection(), actor)

    @property
    def _binding(self) -> Binding:
        binding: Binding = self.info["binding"]
        return binding


class WriteSession(ReadSession):
    """A session in a transaction that may write. Services never commit it; whoever opened it does."""

    sync_session_class = Session

    @asynccontextmanager
    async def act_in(self, organization_id: UUID) -> AsyncIterator[None]:
        """Act in an organization for a moment, to make the first rows of one that is new.

        It is the one way around the caller's own organization, so whoever uses it answers for the id.
        """
        former = self.actor
        if former == SYSTEM:
            yield
            return
        await self.flush()
        await self.act_as(Actor.member(organization_id))
        try:
            yield
            await self.flush()
        except Exception:
            # After an error of the database there is nothing to restore: the transaction can only be rolled back.
            with suppress(SQLAlchemyError):
                await self.act_as(former)
            raise
        await self.act_as(former)

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
            parsed,
            connect_args=dialects.connecting(parsed),
            pool_size=settings.pool_size,
            max_overflow=settings.pool_size,
            pool_timeout=settings.timeout,
        )
        dialects.prepare(self.engine.sync_engine, busy_timeout=settings.timeout)
        self._reader = self.engine.execution_options(**{dialects.READ_ONLY: True})
        self._read = async_sessionmaker(class_=ReadSession, expire_on_commit=False)
        self._write = async_sessionmaker(class_=WriteSession, expire_on_commit=False)
        # SQLite takes one writer at a time and its own waiting is unfair: queue the writers of a process in order.
        self._turn = asyncio.Lock() if self.engine.dialect.name == "sqlite" else None
        self._totals = Totals()
        self._signals: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._given: Counter[str] = Counter()
        self._told: list[Callable[[Collection[str]], None]] = []
        self.pulse = Pulse(self.read, self.give, settings.poll)

    @property
    def dialect(self) -> str:
        """The database's name: `sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @asynccontextmanager
    async def read(self, actor: Actor = SYSTEM) -> AsyncIterator[ReadSession]:
        """Open a read-only transaction; as the system, unless it is for somebody."""
        async with self._read(**self._bound(self._reader, actor)) as session, session.begin():
            yield session

    @asynccontextmanager
    async def write(self, actor: Actor = SYSTEM) -> AsyncIterator[WriteSession]:
        """Open a transaction that commits at the end, or rolls back on an error; as the system, unless for somebody.

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
            session = await stack.enter_async_context(self._write(**self._bound(self.engine, actor)))
            await stack.enter_async_context(session.begin())
            yield session
        if session.wakes:
            self.give(session.wakes)
            for tell in self._told:
                tell(session.wakes)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction below the ORM that commits at the end, as the system; for migrations."""
        async with self.connect() as connection, connection.begin():
            yield connection

    def connect(self) -> AsyncConnection:
        """Return a connection below the ORM, not in a transaction yet, for the system."""
        return dialects.bound(self.engine, Binding(SYSTEM)).connect()

    def signal(self, name: str) -> asyncio.Event:
        """Return the event that is set when a transaction that called `wake(name)` has committed."""
        return self._signals[name]

    async def at_each(self, name: str, work: Callable[[], Awaitable[None]], failure: str) -> None:
        """Work now, and at each signal until cancelled; what fails is logged as that, and waits for the next signal."""
        signal = self.signal(name)
        while True:
            signal.clear()
            try:
                await work()
            except Exception:
                log.exception(failure)
            await signal.wait()

    def given(self, name: str) -> int:
        """Return how many transactions have committed that called `wake(name)`."""
        return self._given.get(name, 0)

    def give(self, names: Collection[str]) -> None:
        """Give signals, as after a commit; of another process, when it has told of its own."""
        self._given.update(names)
        for name in names:
            self._signals[name].set()

    def share(self, tell: Callable[[Collection[str]], None]) -> None:
        """Have somebody told of the signals given after each commit."""
        self._told.append(tell)

    async def ping(self) -> None:
        """Raise when the database does not answer."""
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def bypasses_row_security(self) -> bool:
        """Tell whether the role is one that row-level security does not hold for."""
        async with self.connection() as connection:
            return await connection.run_sync(dialects.bypasses_row_security)

    async def dispose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()

    def _bound(self, engine: AsyncEngine, actor: Actor) -> dict[str, Any]:
        binding = Binding(actor)
        return {"bind": dialects.bound(engine, binding), "info": {"binding": binding, "totals": self._totals}}


class UnitOfWork:
    """The sessions of one request, opened when first asked for and committed together at its end.

    They see no organization's rows until the caller is known (`act_as`).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stack = AsyncExitStack()
        self._reader: ReadSession | None = None
        self._writer: WriteSession | None = None
        self._actor = NOBODY

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> bool | None:
        return await self._stack.__aexit__(*error)  # type: ignore[arg-type]

    async def act_as(self, actor: Actor) -> None:
        """Bind the sessions to a caller: those that are open, and those opened later."""
        self._actor = actor
        for session in (self._reader, self._writer):
            if session is not None:
                await session.act_as(actor)

    async def read(self) -> ReadSession:
        """Return the request's read session; the write session if it has one, so that it sees its own writes."""
        if self._writer is not None:
            return self._writer
        if self._reader is None:
            self._reader = await self._stack.enter_async_context(self._database.read(self._actor))
        return self._reader

    async def write(self) -> WriteSession:
        """Return the request's write session."""
        if self._writer is None:
            self._writer = await self._stack.enter_async_context(self._database.write(self._actor))
        return self._writer
