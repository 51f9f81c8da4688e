"""One of several processes that serve: started by the supervisor, and gone with it."""

import asyncio
import ctypes
import os
import signal
import socket
import sys
from functools import partial
from mmap import mmap
from types import FrameType

import typer
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from argosy.app import create_app
from argosy.cli.accepting import Acceptor
from argosy.cli.listening import Board, url_of
from argosy.cli.process import Server, configured, prepared
from argosy.cli.server import load_settings
from argosy.cli.tls import TlsUnusable, tls_context
from argosy.engines.crew import Crew
from argosy.migrations import SchemaOutdated
from argosy.serving.protocols.grpc_port import GrpcMissing
from argosy.settings import Settings

PR_SET_PDEATHSIG = 1
# Longer than most clients keep a connection that they do not use.
FAREWELL_SECONDS = 10.0
LOOK_SECONDS = 0.05
CLOSE = (b"connection", b"close")


class Orders(BaseModel):
    """What a worker is started with: its place, and the descriptors that it inherits."""

    place: int
    places: int
    supervisor: int
    listener: int
    channel: int
    board: int
    prepares: bool


class WorkerServer(Server):
    """A server on a socket that it shares."""

    stop_signals = (signal.SIGTERM,)

    def __init__(
        self, config: uvicorn.Config, app: FastAPI, head_timeout: float, crew: Crew, board: Board, orders: Orders
    ) -> None:
        super().__init__(config, app, head_timeout)
        self._crew = crew
        self._board = board
        self._orders = orders
        self._acceptor: Acceptor | None = None
        self._hurried = False
        self._listener = socket.socket(fileno=orders.listener)
        self._listener.setblocking(False)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn's
        """Start, and take connections."""
        self._listening = await self._crew.listen()
        self._listening.add_done_callback(lambda _: self._abandoned())
        self._retiring = asyncio.create_task(self._retire())
        self._crew.tell("prepared")
        await super().startup([])

    def announce(self) -> None:
        """Begin to take connections, and tell the supervisor."""
        self._acceptor = Acceptor(
            self._listener,
            self.new_protocol,
            self.config.ssl,
            self.head_timeout,
            lambda: len(self.server_state.connections),
            partial(self._board.show, self._orders.place),
            self._board,
        )
        self._app.state.address.found(url_of(self._listener.getsockname(), is_secure=self.config.is_ssl))
        self._acceptor.start()
        self._crew.tell("ready")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain; a worker that is leaving its clients time waits for them no longer."""
        self._hurried = True
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Keep what the other workers see up to date."""
        if self._acceptor is not None:
            self._acceptor.count()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn's
        """Drain."""
        if self._acceptor is not None:
            self._acceptor.close()
            self._board.show(self._orders.place)
            await self._acceptor.settle()
        await self._say_farewell()
        await super().shutdown([])
        await self._crew.leave()

    def _abandoned(self) -> None:
        # Nobody would start this worker again, or end it.
        self.handle_exit(signal.SIGTERM, None)

    async def _retire(self) -> None:
        await self._crew.retired.wait()
        self.should_exit = True

    async def _say_farewell(self) -> None:
        """End each connection with an answer that says so: closing one at rest would lose its next request."""
        self.config.encoded_headers.append(CLOSE)
        self.server_state.default_headers = [*self.server_state.default_headers, CLOSE]
        self.protocol.retired = True
        loop = asyncio.get_running_loop()
        ends = loop.time() + FAREWELL_SECONDS
        while self.server_state.connections and not self._hurried and loop.time() < ends:  # noqa: ASYNC110 - uvicorn's
            await asyncio.sleep(LOOK_SECONDS)


def die_with(supervisor: int) -> None:
    """Have the kernel end this process with its supervisor, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != supervisor:
        sys.exit(1)


def work(settings: Settings, orders: Orders) -> bool:
    """Serve until told to stop; return whether it came to serve."""
    for descriptor in (orders.listener, orders.channel, orders.board):
        os.set_inheritable(descriptor, False)
    context = tls_context(settings.network)
    crew = Crew(socket.socket(fileno=orders.channel))
    board = Board(mmap(orders.board, Board.size(orders.places)), orders.places)
    app = create_app(settings, crew)
    if orders.prepares:
        prepared(settings)
    config = configured(settings, app, context)
    server = WorkerServer(config, app, settings.network.head_timeout, crew, board, orders)
    server.run()
    return server.started


def main() -> int:
    """Do as ordered."""
    orders = Orders.model_validate_json(sys.argv[1])
    # A terminal signals all its processes; the supervisor tells its own what to do.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    die_with(orders.supervisor)
    try:
        return 0 if work(load_settings(), orders) else 1
    except (SchemaOutdated, TlsUnusable, GrpcMissing) as error:
        typer.echo(f"argosy: {error}", err=True)
        return 1
