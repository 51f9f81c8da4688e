"""Pure ASGI middleware: the request's context, protective headers, limits on what comes in, and the last resort."""

import asyncio
import re
import time
from collections.abc import Mapping
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from argosy.kit import context
from argosy.kit.errors import ArgosyError, BadRequest, ContentTooLarge, RequestTimeout, UnsupportedMediaType
from argosy.kit.logs import get_logger
from argosy.kit.web.problems import problem, problem_of, translate

log = get_logger("argosy.access")
_REQUEST_ID = re.compile(r"^[\w.:-]{1,128}$", re.ASCII)
MAX_AGENT = 300
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
HSTS = "max-age=31536000; includeSubDomains"
SWITCHED = 101
RESPONSE_STARTS = frozenset({"http.response.start", "websocket.http.response.start"})
MIN_BODY_RATE = 1024  # bytes a second


class RequestContextMiddleware:
    """Gives each request an id, answers with it, logs the outcome, and turns a defect into a plain 500."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or one WebSocket."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(Headers(scope=scope).get("x-request-id", ""))
        context.begin_request(request_id, *_sender(scope))
        started = time.perf_counter()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "websocket.accept":
                status = SWITCHED
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            elif message["type"] in RESPONSE_STARTS:
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in (*SECURITY_HEADERS.items(), *context.told().items()):
                    headers.setdefault(name, value)
                if scope.get("scheme") in {"https", "wss"}:  # over plain HTTP it means nothing (RFC 6797, section 7.2)
                    headers.setdefault("Strict-Transport-Security", HSTS)
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            log.exception("unhandled_error", path=scope["path"])
            if not status:
                known = translate(error)
                response = (
                    problem(known, scope["path"])
                    if known
                    else problem_of(500, "internal-error", "Internal error", scope["path"])
                )
                await response(scope, receive, answer)
        finally:
            log.info(
                "request",
                method=scope.get("method", "WS"),
                path=scope["path"],
                status=status,
                ms=round((time.perf_counter() - started) * 1000, 2),
            )


def request_id_of(given: str) -> str:
    """Return the id of a request: the one it came with, if that will do."""
    return given if _REQUEST_ID.match(given) else str(uuid4())


def shown_agent(given: str) -> str | None:
    """Return a client's name for itself as it may be kept."""
    return "".join(letter for letter in given[:MAX_AGENT] if letter.isprintable()) or None


def _sender(scope: Scope) -> tuple[str | None, str | None]:
    client = scope.get("client")
    return (client[0] if client else None), shown_agent(Headers(scope=scope).get("user-agent", ""))


class TooLarge(HTTPException):
    """Raised while a body is read past its limit; FastAPI lets an HTTPException through its body parsing."""

    def __init__(self, limit: int) -> None:
        super().__init__(413)
        self.__cause__ = ContentTooLarge(f"the body may have at most {limit} bytes", limit=limit)


class BodyLimitMiddleware:
    """Bounds bodies before and while they are read, and refuses those that come compressed or with NUL in the URL.

    `larger` are paths with limits of their own; None is none, for what is read piece by piece.
    """

    def __init__(self, app: ASGIApp, limit: int, larger: Mapping[re.Pattern[str], int | None]) -> None:
        self._app = app
        self._limit = limit
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit_of(scope)
        refusal = _refuse(scope, limit)
        if refusal is not None:
            await problem(refusal, scope["path"].replace("\x00", ""))(scope, receive, send)
            return
        seen = 0

        async def bounded() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if limit is not None and seen > limit:
                raise TooLarge(limit)
            return message

        await self._app(scope, bounded, send)

    def _limit_of(self, scope: Scope) -> int | None:
        for pattern, limit in self._larger.items() if scope["method"] == "POST" else ():
            if pattern.fullmatch(scope["path"]):
                return limit
        return self._limit


class BodyTimeoutMiddleware:
    """Gives up a body that stops arriving for `timeout` seconds or comes, after as long, below `MIN_BODY_RATE`.

    Only the waiting counts, not what the application does in between, and every byte read earns its share of time: a
    body of any size may come, but none byte by byte.
    """

    def __init__(self, app: ASGIApp, timeout: float) -> None:
        self._app = app
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        more, seen, waited = True, 0, 0.0

        async def timely() -> Message:
            nonlocal more, seen, waited
            if not more:  # what is waited for then is the disconnect, and that may take as long as it likes
                return await receive()
            began = time.perf_counter()
            try:
                async with asyncio.timeout(min(self._timeout, self._timeout + seen / MIN_BODY_RATE - waited)):
                    message = await receive()
            except TimeoutError:
                # FastAPI lets an HTTPException through its body parsing, and the answer is made of its cause.
                raise HTTPException(408) from RequestTimeout("the body stopped arriving, or came too slowly")
            waited += time.perf_counter() - began
            seen += len(message.get("body", b""))
            more = message.get("more_body", False)
            return message

        await self._app(scope, timely, send)


def _refuse(scope: Scope, limit: int | None) -> ArgosyError | None:
    headers = Headers(scope=scope)
    if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
        return BadRequest("the URL must not hold the NUL character")
    if headers.get("content-encoding", "identity").lower() != "identity":
        return UnsupportedMediaType("send the body without Content-Encoding")
    length = headers.get("content-length", "0")
    if limit is not None and length.isdecimal() and int(length[:20]) > limit:
        return ContentTooLarge(f"the body may have at most {limit} bytes", limit=limit)
    return None
