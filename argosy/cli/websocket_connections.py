"""What uvicorn's WebSockets lack: bounds on a client that does not read or sends fragments, and a stop that drains."""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame

MAX_FRAGMENTS = 1024
POLICY, RESTARTING = 1008, 1012
LINGER_SECONDS = 1.0


class GuardedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's protocol with bounds.

    When the server stops, the application is told by a disconnect, and may still answer what it has taken; the
    connection is closed with 1012 once the application has ended.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._application = self.app
        self.app = self._run
        self._leaving = False

    def shutdown(self) -> None:
        """Let the application end what it has begun."""
        if not self.handshake_complete or self.close_sent:
            super().shutdown()
        elif not self._leaving:
            self._leaving = True
            self.queue.put_nowait({"type": "websocket.disconnect", "code": RESTARTING})

    async def _run(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI, passed on
        await self._application(scope, receive, send)
        if self._leaving and not self.close_sent:
            await self.send({"type": "websocket.close", "code": RESTARTING, "reason": "the server stops"})

    def pause_writing(self) -> None:
        """Read nothing, not even pings, while the client does not take what it is sent."""
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        super().resume_writing()
        if not self.read_paused:
            self.transport.resume_reading()

    async def receive(self) -> Any:  # noqa: ANN401 - an ASGI message
        """Return the next message; more is read only while the client takes what it is sent."""
        message = await super().receive()
        if not self.writable.is_set():
            self.transport.pause_reading()
        return message

    def handle_cont(self, event: Frame) -> None:
        """Bound the fragments of a message: empty ones count nothing against its size."""
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
        elif not self.close_sent:
            self.conn.fail(POLICY, "too many fragments")
            self.handle_parser_exception()

    def handle_parser_exception(self) -> None:
        """Say what is wrong, and pass over the rest for a moment: closing on it would take the word back."""
        if self.close_sent or self.conn.close_sent is None:
            return
        self.close_sent = True
        told = self.conn.close_sent
        self.queue.put_nowait({"type": "websocket.disconnect", "code": told.code, "reason": told.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def keepalive_timeout(self) -> None:
        """Close when no pong came, unless it may be among what is not read yet because there is enough to do."""
        if self.read_paused and self.writable.is_set() and self.ping_timeout is not None:
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
            return
        super().keepalive_timeout()
        if not self.writable.is_set():
            self.transport.abort()  # what is not read will not be read now

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Give the client a while to take the rest."""
        super().on_task_complete(task)
        self.loop.call_later(2 * self.close_timeout, self.transport.abort)
