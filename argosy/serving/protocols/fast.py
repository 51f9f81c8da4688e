"""The fast path as ASGI middleware: it runs on any server, before everything else."""

import asyncio
import time
import types
from collections.abc import Generator
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from argosy.kit.rates import Standing
from argosy.kit.web.middleware import HSTS, SECURITY_HEADERS
from argosy.serving.answers import Call
from argosy.serving.door import Access
from argosy.serving.fast_path import FastPath
from argosy.serving.heads import Head, read_head

FIXED = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
JSON_FIXED = [*FIXED, (b"content-type", b"application/json")]
SECURE = (b"strict-transport-security", HSTS.encode())
# A caller who goes is noticed after so long: before, looking for it would cost more than the answer.
LOOK_AFTER = 0.05
MOST_HEADS = 10_000
LIMITS = tuple(name.lower().encode() for name in Standing.HEADERS)
MOST_TRIES = 3
STALE = object()  # what is known of a request may no longer be believed
Taken = Call | asyncio.Task[None] | object | None
# The path, the query, and the fields of a head.
Fields = tuple[Any, ...]
COUNTED = {b"content-length", *LIMITS}


class FastPathMiddleware:
    """Answers what the fast path takes; the application gets the rest, as it came.

    A head that was once read, and found to be a prediction that is known, is recognized by its fields.
    """

    def __init__(self, app: ASGIApp, fast: FastPath, body_timeout: float) -> None:
        self._app = app
        self._fast = fast
        self._body_timeout = body_timeout
        self._heads: dict[Fields, tuple[Access, Head]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        # Servers need not give the path as it came; that of a prediction holds nothing that is written another way.
        head_fields = (scope.get("raw_path") or scope["path"].encode(), scope["query_string"], *scope["headers"])
        known = self._heads.get(head_fields) or self._look_up(head_fields)
        if known is None:
            await self._app(scope, receive, send)
            return
        access, head = known
        message = await receive()
        messages, body = [message], message.get("body", b"")
        if message.get("more_body"):
            messages, body = await self._read(head, message, receive)
        answer = None
        # A body that is not whole came too slowly, or is not as long as its head says: the application words it.
        if len(body) == head.length and not messages[-1].get("more_body"):
            reply, now = Reply(), time.monotonic()
            call = self._fast.submit(access, head, body, reply.take, now) if self._fast.holds(access, now) else STALE
            if not isinstance(call, Call):
                access, call = await self._patiently(access, head_fields, head, body, reply, call)
            if call is not None:
                try:
                    # A model that runs on the event loop has answered by its next turn: nothing else is made for it.
                    await _turn()
                    result = reply.result or await reply.wait(receive)
                except BaseException:
                    self._fast.abandon(access, call)
                    raise
                answer = self._answer(access, head, call, result)
        if answer is None:
            await self._app(scope, _replay(messages, receive), send)
            return
        status, headers, content = answer
        if scope.get("scheme") == "https":
            headers.append(SECURE)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _patiently(
        self, access: Access, head_fields: Fields, head: Head, body: bytes, reply: "Reply", taken: Taken
    ) -> tuple[Access, Call | None]:
        """Submit what waits for something: to be counted, or to be looked up again; no call has to go the long way."""
        for _ in range(MOST_TRIES):
            if isinstance(taken, Call) or taken is None:
                return access, taken
            if isinstance(taken, asyncio.Task):
                await asyncio.shield(taken)
            else:
                self._heads.pop(head_fields, None)
                renewed = await asyncio.shield(self._fast.renew(head))
                access = access if renewed is None else renewed
            now = time.monotonic()
            taken = self._fast.submit(access, head, body, reply.take, now) if self._fast.holds(access, now) else None
        return access, taken if isinstance(taken, Call) else None

    def _look_up(self, head_fields: Fields) -> tuple[Access, Head] | None:
        path, query, *headers = head_fields
        head = read_head(b"POST", path + (b"?" + query if query else b""), headers)
        access = self._fast.find(head) if head else None
        if head is None or access is None:
            return None
        if head.request_id is None:
            if len(self._heads) >= MOST_HEADS:
                self._heads.clear()
            self._heads[head_fields] = (access, head)
        return access, head

    def _answer(
        self, access: Access, head: Head, call: Call, result: bytes | Exception
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes] | None:
        if not isinstance(result, Exception):
            if call.json_length is None and call.spent is None:
                return 200, JSON_FIXED + fields(call, len(result)), result
            return 200, [*FIXED, *content(call), *fields(call, len(result))], result
        refusal = self._fast.refusal(access, head, call, result)
        if refusal is None:
            return None
        told = bytes(refusal.body)
        return refusal.status_code, [*FIXED, *headers_of(refusal), *fields(call, len(told))], told

    async def _read(self, head: Head, first: Message, receive: Receive) -> tuple[list[Message], bytes]:
        """Return the messages of the body; not all of them when it comes too slowly, which the application will see.

        What comes in several is large, as a rule, and has to wait for its turn, unless it says how long it may take.
        """
        messages = [first]
        try:
            async with asyncio.timeout(self._body_timeout):
                while messages[-1].get("more_body"):
                    messages.append(await receive())
        except TimeoutError:
            pass
        body = b"".join([one.get("body", b"") for one in messages])
        if head.waits_its_turn:
            await self._fast.turnstile.turn(len(body))
        return messages, body


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


def fields(call: Call, length: int) -> list[tuple[bytes, bytes]]:
    """Return the header fields that differ from answer to answer."""
    told = [(b"content-length", b"%d" % length), (b"x-request-id", call.request_id.encode())]
    if (standing := call.standing) is not None:
        limit, remaining, reset = LIMITS
        told += (
            (limit, b"%d" % standing.limit),
            (remaining, b"%d" % standing.remaining),
            (reset, b"%d" % standing.reset),
        )
    return told


@types.coroutine
def _turn() -> Generator[None]:
    """Wait for the next turn of the event loop, as `asyncio.sleep(0)` does, which costs a coroutine more."""
    yield


class Reply:
    """What a call is answered with, and who waits for it."""

    __slots__ = ("_waiting", "result")

    def __init__(self) -> None:
        self.result: bytes | Exception | None = None
        self._waiting: asyncio.Future[bytes | Exception] | None = None

    def take(self, _call: Call, result: bytes | Exception) -> None:
        """Take the answer."""
        self.result = result
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(result)

    async def wait(self, receive: Receive) -> bytes | Exception:
        """Return the answer; raises `ConnectionResetError` when the caller goes, which is looked for after a while."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[bytes | Exception] = loop.create_future()
        self._waiting = waiting
        watch = loop.call_later(LOOK_AFTER, _watch, waiting, receive)
        try:
            return await waiting
        finally:
            watch.cancel()


def _watch(waiting: asyncio.Future[bytes | Exception], receive: Receive) -> None:
    async def look() -> None:
        await receive()
        if not waiting.done():
            waiting.set_exception(ConnectionResetError())

    going = asyncio.ensure_future(look())
    waiting.add_done_callback(lambda _: going.cancel())


def _replay(messages: list[Message], receive: Receive) -> Receive:
    left = iter(messages)

    async def again() -> Message:
        return next(left, None) or await receive()

    return again
