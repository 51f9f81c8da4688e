"""The fast path as ASGI middleware: it runs on any server, before everything else."""

import asyncio
from collections.abc import Iterable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from argosy.kit.web.middleware import HSTS, SECURITY_HEADERS
from argosy.serving.answers import Call
from argosy.serving.batching import Lane
from argosy.serving.fast_path import FastPath, Reply
from argosy.serving.heads import read_head

FIXED = [
    (b"content-type", b"application/json"),
    *((name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()),
]
SECURE = (b"strict-transport-security", HSTS.encode())
# A caller who goes is noticed after so long: before, looking for it would cost more than the answer.
LOOK_AFTER = 0.05


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
        if not self._fast.holds(access):
            access = await asyncio.shield(self._fast.renew(head))
        body = b"".join([message.get("body", b"") for message in messages])
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        taken = None
        whole = len(body) == head.length and not messages[-1].get("more_body")
        if whole and access is not None and self._fast.holds(access):
            taken = self._fast.submit(access, body, head.request_id, answered.set_result)
        reply = await _reply(answered, receive, *taken) if taken else None
        if reply is None or isinstance(reply.result, Exception):
            await self._app(scope, _replay(messages, receive), send)
            return
        headers = [*FIXED, *fields(reply, reply.result)]
        if scope.get("scheme") == "https":
            headers.append(SECURE)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": reply.result})

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


def fields(reply: Reply, body: bytes) -> Iterable[tuple[bytes, bytes]]:
    """Return the header fields that differ from answer to answer."""
    yield b"content-length", b"%d" % len(body)
    yield b"x-request-id", reply.request_id.encode()
    for name, value in reply.standing.headers.items():
        yield name.lower().encode(), value.encode()


async def _reply(answered: asyncio.Future[Reply], receive: Receive, lane: Lane, call: Call) -> Reply:
    done, _ = await asyncio.wait([answered], timeout=LOOK_AFTER)
    if not done:
        going = asyncio.ensure_future(receive())
        either: list[asyncio.Future[Any]] = [answered, going]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not answered.done():
                lane.abandon(call)
                raise ConnectionResetError
        finally:
            going.cancel()
    return await answered


def _replay(messages: list[Message], receive: Receive) -> Receive:
    left = iter(messages)

    async def again() -> Message:
        return next(left, None) or await receive()

    return again
