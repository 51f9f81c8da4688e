"""The server process behind `argosy up`. Imported only when it runs: every other command starts quicker without."""

import asyncio
import os
import secrets
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import ClassVar

import typer
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from argosy import migrations
from argosy.app import create_app
from argosy.cli.accepting import Taker
from argosy.cli.fast_connections import FastProtocol, fast
from argosy.cli.listening import BACKLOG, url_of
from argosy.cli.tls import tls_context
from argosy.cli.websocket_connections import GuardedWebSocket
from argosy.engines.rates import SharedRateLimiter
from argosy.identity.passwords import Passwords, RecentPasswords
from argosy.identity.schemas import Register
from argosy.identity.service import AccountReader, AccountService
from argosy.identity.sign_in import SignIn
from argosy.kit import memory
from argosy.kit.db.session import Database
from argosy.settings import Settings

DRAIN_SECONDS = 25
ADMIN = "admin"


class Server(uvicorn.Server):
    """A server that says where it is once it serves."""

    stop_signals: ClassVar[tuple[signal.Signals, ...]] = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, config: uvicorn.Config, app: FastAPI, head_timeout: float) -> None:
        super().__init__(config)
        self._app = app
        self.head_timeout = head_timeout
        self._takers: list[Taker] = []

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain on the signals to stop, and end with code 0: a stop that was asked for is no failure."""
        handlers = {one: signal.signal(one, self.handle_exit) for one in self.stop_signals}
        try:
            yield
        finally:
            for one, handler in handlers.items():
                signal.signal(one, handler)

    @contextmanager
    def _bounded_handshakes(self) -> Iterator[None]:
        # uvicorn has no option for it, and the event loop would wait a minute for a client that never says hello.
        loop = asyncio.get_running_loop()
        original = loop.create_server
        if self.config.is_ssl:
            bounded = partial(original, ssl_handshake_timeout=self.head_timeout)
            loop.create_server = bounded  # type: ignore[method-assign]
        try:
            yield
        finally:
            loop.create_server = original  # type: ignore[method-assign]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print the ready line."""
        with self._bounded_handshakes():
            await super().startup(sockets)
        if self.started:
            memory.settle()
            self._takers = [self._taker(one) for server in self.servers for one in server.sockets]
            self.announce()

    @property
    def protocol(self) -> type[FastProtocol]:
        """The protocol, as it was configured."""
        protocol = self.config.http_protocol_class
        assert issubclass(protocol, FastProtocol)  # noqa: S101 - as it was configured
        return protocol

    def new_protocol(self) -> FastProtocol:
        """Return the protocol of a new connection."""
        return self.protocol(self.config, self.server_state, self.lifespan.state, asyncio.get_running_loop())

    def _taker(self, listening: socket.socket) -> Taker:
        own = socket.socket(fileno=os.dup(listening.fileno()))
        return Taker(own, self.new_protocol, self.config.ssl, self.head_timeout)

    def announce(self) -> None:
        """Say where the server is."""
        if self._app.state.grpc is not None:
            typer.echo(f"Argosy speaks gRPC at {self._app.state.grpc.address}")
        url = url_of(self.servers[0].sockets[0].getsockname(), is_secure=self.config.is_ssl)
        self._app.state.address.found(url)
        typer.echo(f"Argosy ready at {url}")

    async def on_tick(self, counter: int) -> bool:
        """Take the connections that wait still."""
        for taker in self._takers:
            taker.take_all()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell what would go on for as long as its client does, then drain HTTP and gRPC together."""
        for taker in self._takers:
            taker.close()
            await taker.settle()
        self._app.state.stopping.set()
        grpc = self._app.state.grpc
        draining = asyncio.create_task(grpc.stop()) if grpc is not None else None
        await super().shutdown(sockets)
        if draining is not None:
            await draining


def serve(settings: Settings) -> bool:
    """Serve until stopped; return whether it came to serve. Raises `SchemaOutdated`, `TlsUnusable`, `GrpcMissing`."""
    context = tls_context(settings.network)
    app = create_app(settings)
    prepared(settings)
    server = Server(configured(settings, app, context), app, settings.network.head_timeout)
    server.run()
    return server.started


def configured(settings: Settings, app: FastAPI, context: ssl.SSLContext | None) -> uvicorn.Config:
    """Return how uvicorn is to serve an application."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        http=fast(app.state.fast, settings.network.head_timeout, settings.network.body_timeout),
        ws=GuardedWebSocket,
        ws_max_size=settings.limits.body_bytes,
        # A few bytes could unpack to very many; bodies of requests must not come compressed either.
        ws_per_message_deflate=False,
        ssl_context_factory=(lambda _config, _default: context) if context else None,
    )


def prepared(settings: Settings) -> None:
    """Prepare, and show the first administrator's password the first time."""
    password = asyncio.run(prepare(settings))
    if password:
        typer.echo(f"First start: sign in as {ADMIN!r} with the password {password} (shown this once).")


async def prepare(settings: Settings) -> str | None:
    """Bring the schema up to date and make the first administrator; return the password, the first time."""
    database = Database(settings.database_url, settings.database)
    try:
        if settings.database.migrate:
            await migrations.upgrade(database)
        await migrations.require_current(database)
        return await _first_admin(database, settings)
    finally:
        await database.dispose()


async def _first_admin(database: Database, settings: Settings) -> str | None:
    async with database.write() as session:
        if await AccountReader(session).users.any():
            return None
        password = secrets.token_urlsafe(18)
        # No mailbox is known yet, so the address is one that the registration form would not take.
        account = Register.model_construct(
            email=f"{ADMIN}@localhost", username=ADMIN, password=SecretStr(password), full_name=None
        )
        passwords = Passwords(settings.security)
        sign_in = SignIn(database, passwords, RecentPasswords(), SharedRateLimiter("memory://"), settings.rates)
        service = AccountService(session, passwords, sign_in)
        await service.create(account, await passwords.hash(password), is_admin=True)
        return password
