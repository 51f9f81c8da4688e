"""Predictions over a WebSocket (RFC 6455): many requests in flight on one connection, each answered when it is ready.

Nothing is read while as much is in flight as may be, or while the client does not take its answers.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from pydantic import JsonValue
from pydantic_core import to_json

from argosy.kit.errors import ArgosyError, Forbidden
from argosy.kit.logs import get_logger
from argosy.kit.schemas import Slug
from argosy.kit.web.metrics import Metrics
from argosy.kit.web.problems import Problem, problem, problem_of, translate
from argosy.serving.protocols.refusals import counted, refusals
from argosy.serving.protocols.websocket_access import LOST, Access, Asked, Closing, admitted
from argosy.serving.protocols.window import Window
from argosy.serving.service import ServingService
from argosy.signature.errors import InvalidInput
from argosy.signature.parse import strict_json
from argosy.signature.refusal import refuse

ROUTE = "/ws/models/{org}/{name}"
MOST_IN_FLIGHT = 64
WATCH_SECONDS = 1.0
MAX_ID = 128
MAX_NUMBER = 2**63
UNREADABLE, TOO_BIG, DEFECT = 1003, 1009, 1011
PRIVATE = 4000  # where a protocol's own close codes begin (RFC 6455, section 7.4.2)
log = get_logger(__name__)

router = APIRouter(prefix=ROUTE)


@router.websocket("")
async def predict_websocket(
    socket: WebSocket,
    org: Slug,
    name: Slug,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    alias: Annotated[Slug | None, Query()] = None,
) -> None:
    """Predict on a connection; a request is `{"id", "rows" | "columns" | "data"}`, in a text frame.

    Answers `{"id", "result"}` or `{"id", "error"}`, in the order they are ready.
    """
    await socket.accept()
    try:
        access = await admitted(socket, Asked(org, name, version, alias))
        await Conversation(socket, access).run()
    except* Exception as group:  # noqa: BLE001 - the client is told by a close code
        with suppress(WebSocketDisconnect):  # nobody is there to be told
            await _close(socket, group.exceptions)


async def _close(socket: WebSocket, errors: Sequence[Exception]) -> None:
    if any(isinstance(error, WebSocketDisconnect) for error in errors):
        return
    error = errors[0]
    known = translate(error)
    if isinstance(error, Closing):
        await socket.close(error.code, error.reason)
    elif known is None:
        log.error("websocket_failed", exc_info=error)
        await socket.close(DEFECT)
    else:
        if isinstance(known, Forbidden):
            await socket.app.state.denied(known)
        await socket.close(PRIVATE + known.status, known.type)


class Conversation:
    """The requests and answers of one connection."""

    def __init__(self, socket: WebSocket, access: Access) -> None:
        self._socket = socket
        self._access = access
        self._state = socket.app.state
        self._limit: int = self._state.settings.limits.body_bytes
        self._window = Window(MOST_IN_FLIGHT, self._limit)

    async def run(self) -> None:
        """Answer until the client goes, the caller may no longer, or the server stops, which answers what is due."""
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._watch())
            while (frame := await self._next()) is not None:
                await self._window.enter(len(frame))
                group.create_task(self._take(frame))
            watch.cancel()

    async def _next(self) -> bytes | None:
        """Return the next frame, or None when the server stops."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            if self._state.stopping.is_set():
                return None
            raise WebSocketDisconnect(message.get("code", 1005))
        text: str | None = message.get("text")
        if text is None:
            raise Closing(UNREADABLE, "send text frames")
        frame = text.encode()
        if len(frame) > self._limit:
            raise Closing(TOO_BIG, f"a frame may have at most {self._limit} bytes")
        return frame

    async def _watch(self) -> None:
        """End a connection whose caller may no longer, also when nothing is asked on it."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await self._access.fresh()
            except LOST:
                raise
            except Exception as error:  # noqa: BLE001 - who asks meanwhile is told
                log.debug("websocket_unchecked", error=repr(error))

    async def _take(self, frame: bytes) -> None:
        try:
            await self._socket.send_text(await self._answer(frame))
        finally:
            self._window.leave(len(frame))

    async def _answer(self, frame: bytes) -> str:
        started = time.perf_counter()
        known_as, request = read(frame)
        status, answer = 200, b""
        try:
            answer = b'{"id":%b,"result":%b}' % (known_as, await self._predict(request))
        except LOST:
            raise
        except Exception as error:  # noqa: BLE001 - the client is told
            told = self._problem(error)
            status, answer = told.status_code, b'{"id":%b,"error":%b}' % (known_as, bytes(told.body))
        metrics: Metrics = self._state.metrics
        metrics.requests.series("WS", ROUTE, status).observe(time.perf_counter() - started)
        return answer.decode()

    async def _predict(self, request: JsonValue | InvalidInput) -> bytes:
        principal, target = await self._access.fresh()
        serving: ServingService = self._state.serving
        with counted(serving, principal, target), refusals():
            await self._access.count(principal)
            if isinstance(request, InvalidInput):
                raise request
            return await serving.predict(principal, target, request, max_rows=self._state.settings.limits.rows)

    def _problem(self, error: Exception) -> Problem:
        path = self._socket.url.path
        known = translate(error)
        if known is None:
            log.error("websocket_request_failed", exc_info=error)
            return problem_of(500, ArgosyError.type, ArgosyError.title, path)
        if "Retry-After" in known.headers:
            known.extensions["retry_after"] = int(known.headers["Retry-After"])
        return problem(known, path)


def read(frame: bytes) -> tuple[bytes, JsonValue | InvalidInput]:
    """Return the id of a request, as JSON, and the rest of it, or what is wrong with it."""
    try:
        request = strict_json(frame)
        if not isinstance(request, dict):
            raise refuse(["body"], "Input should be an object with id, and rows, columns or data", "dict_type")
        if "id" not in request:
            raise refuse(["id"], "Field required", "missing")
        known_as = request.pop("id")
        is_number = type(known_as) is int and -MAX_NUMBER <= known_as < MAX_NUMBER
        if not is_number and not (isinstance(known_as, str) and len(known_as) <= MAX_ID):
            raise refuse(["id"], f"Input should be a string of at most {MAX_ID} characters or an integer", "id_type")
        return to_json(known_as), request
    except InvalidInput as error:
        return b"null", error
