"""Taking connections: many in a turn of the event loop where many wait, and of a shared socket only one's share.

The kernel wakes all workers for each connection, and whoever comes first would take all that wait. So a worker takes
one at a time, and when another has fewer it leaves it a moment to come first: decision 16 has the figures.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable

from argosy.cli.listening import Board
from argosy.kit.logs import get_logger

POLITE_SECONDS = 0.002
# Out of file descriptors, mostly.
TROUBLED_SECONDS = 1.0
SETTLE_SECONDS = 2.0
MOST_IN_A_TURN = 256  # 15 ms of work; under overload a turn takes 20 to 150 ms anyhow
log = get_logger(__name__)


class Taker:
    """Takes connections that wait at a socket, and gives each to a protocol."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None,
        handshake_timeout: float,
    ) -> None:
        self._listener = listener
        self._protocol = protocol
        self._context = context
        self._handshake_timeout = handshake_timeout if context else None
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._again: asyncio.Handle | None = None

    def take_all(self) -> None:
        """Take what waits, in as many turns of the event loop as it needs.

        uvloop takes one in a turn. Of thousands that come at once, at a server that is busy, the last would wait for
        seconds, with what they sent.
        """
        if self._again is not None:
            self._again.cancel()
            self._again = None
        for _ in range(MOST_IN_A_TURN):
            if not self._take():
                return
        self._again = self._loop.call_soon(self.take_all)

    def close(self) -> None:
        """Take no more; what was taken goes on."""
        if self._again is not None:
            self._again.cancel()
        self._listener.close()

    async def settle(self) -> None:
        """Return when all that was taken is with its protocol; let go of a client that says no hello in TLS."""
        if self._opening:
            _, late = await asyncio.wait(self._opening, timeout=SETTLE_SECONDS)
            for task in late:
                task.cancel()

    def _take(self) -> bool:
        """Take one; tell whether one was there."""
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError as error:
            self._troubled(error)
            return False
        connection.setblocking(False)
        task = self._loop.create_task(self._open(connection))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        return True

    def _troubled(self, error: OSError) -> None:
        log.warning("connection_not_taken", error=repr(error))

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._protocol,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=self._handshake_timeout,
            )
        except (OSError, ssl.SSLError) as error:
            connection.close()
            log.debug("connection_not_opened", error=repr(error))


class Acceptor(Taker):
    """Takes a worker's share of the connections."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None,
        handshake_timeout: float,
        connections: Callable[[], int],
        show: Callable[[int], None],
        board: Board,
    ) -> None:
        super().__init__(listener, protocol, context, handshake_timeout)
        self._connections = connections
        self._show = show
        self._board = board
        self._later: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin."""
        self.count()
        self._loop.add_reader(self._listener, self._ready)

    def close(self) -> None:
        """Take no more; what was taken goes on."""
        if self._later is not None:
            self._later.cancel()
        self._loop.remove_reader(self._listener)
        super().close()

    def count(self) -> int:
        """Show the others how many connections this worker has."""
        connections = self._connections() + len(self._opening)
        self._show(connections)
        return connections

    def _ready(self) -> None:
        for _ in range(MOST_IN_A_TURN):
            if self.count() > self._board.fewest():
                self._pause(POLITE_SECONDS)
                return
            if not self._take():
                return

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._later = self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._later = None
        self._loop.add_reader(self._listener, self._ready)
        # Who was left the chance and did not take it may be busy or gone.
        self._take()
        self.count()

    def _troubled(self, error: OSError) -> None:
        super()._troubled(error)
        if self._later is None:
            self._pause(TROUBLED_SECONDS)
