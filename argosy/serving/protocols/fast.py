"""The fast path as ASGI middleware: it runs on any server, before everything else."""

import asyncio
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from argosy.kit.rates import Standing
from argosy.kit.web.middleware import HSTS, SECURITY_HEADERS
from argosy.serving.answers import Call
from argosy.serving.fast_path import FastPath
from argosy.serving.heads import read_head

FIXED = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
SECURE = (b"strict-transport-security", HSTS.encode())
# A caller who goes is noticed after so long: before, looking for it would cost more than the answer.
LOOK_AFTER = 0.05
COUNTED = {b"content-length", *(name.lower().encode() for name in Standing.HEADERS)}


class FastPathMiddleware:
    """Answers what the fast path takes; the application gets the rest, as it came."""

    def __init__(self, app: ASGIApp, fast: FastPath, body_timeout: float) -> None:
        self._app = app
        self._fast = fast
        self._body_timeout = body_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        query = scope["query_string"]
        head = read_head(b"POST", scope.get("raw_path", b"") + (b"?" + query if query else b""), scope["headers"])
        access = self._fast.find(head) if head else None
        if head is None or access is None:
            await self._app(scope, receive, send)
            return
        messages = await self._read(receive)
        if not self._fast.holds(access, time.monotonic()):
            access = await asyncio.shield(self._fast.renew(head))
        body = b"".join([message.get("body", b"") for message in messages])
        answered: asyncio.Future[tuple[Call, bytes | Exception]] = asyncio.get_running_loop().create_future()
        now, call = time.monotonic(), None
        whole = len(body) == head.length and not messages[-1].get("more_body")
        if whole and access is not None and self._fast.holds(access, now):
            call = self._fast.submit(access, head, body, lambda *reply: answered.set_result(reply), now)
        if call is None or access is None:
            await self._app(scope, _replay(messages, receive), send)
            return
        call, result = await _reply(answered, receive, partial(self._fast.abandon, access, call))
        status, own = 200, content(call)
        if isinstance(result, Exception):
            refusal = self._fast.refusal(access, head, call, result)
            if refusal is None:
                await self._app(scope, _replay(messages, receive), send)
                return
            status, own, result = refusal.status_code, headers_of(refusal), bytes(refusal.body)
        headers = [*FIXED, *own, *fields(call, len(result))]
        if scope.get("scheme") == "https":
            headers.append(SECURE)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": result})

    async def _read(self, receive: Receive) -> list[Message]:
        """Return the messages of the body; not all of them when it comes too slowly, which the application will see."""
        messages = [await receive()]
        try:
            async with asyncio.timeout(self._body_timeout):
                while messages[-1].get("more_body"):
                    messages.append(await receive())
        except TimeoutError:
            pass
        return messages


def content(call: Call) -> list[tuple[bytes, bytes]]:
    """Return the fields that say what the body of an answer is, and what is left of a quota."""
    told = [(b"content-type", b"application/json")]
    if call.json_length is not None:
        length = b"%d" % call.json_length
        told = [(b"content-type", b"application/octet-stream"), (b"inference-header-content-length", length)]
    if call.spent is not None:
        told += [(name.lower().encode(), value.encode()) for name, value in call.spent.headers.items()]
    return told


def headers_of(refusal: Response) -> list[tuple[bytes, bytes]]:
    """Return the fields of a refusal but its length."""
    return [(name, value) for name, value in refusal.raw_headers if name not in COUNTED]


def fields(call: Call, length: int) -> Iterable[tuple[bytes, bytes]]:
    """Return the header fields that differ from answer to answer."""
    yield b"content-length", b"%d" % length
    yield b"x-request-id", call.request_id.encode()
    if call.standing is not None:
        for name, value in call.standing.headers.items():
            if name in Standing.HEADERS:
                yield name.lower().encode(), value.encode()


async def _reply(
    answered: asyncio.Future[tuple[Call, bytes | Exception]], receive: Receive, abandon: Callable[[], None]
) -> tuple[Call, bytes | Exception]:
    done, _ = await asyncio.wait([answered], timeout=LOOK_AFTER)
    if not done:
        going = asyncio.ensure_future(receive())
        either: list[asyncio.Future[Any]] = [answered, going]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not answered.done():
                abandon()
                raise ConnectionResetError
        finally:
            going.cancel()
    return await answered


def _replay(messages: list[Message], receive: Receive) -> Receive:
    left = iter(messages)

    async def again() -> Message:
        return next(left, None) or await receive()

    return again
