"""The fast path as ASGI middleware: it runs on any server, before everything else."""

import asyncio
import time
import types
from collections.abc import Generator
from enum import Enum
from functools import lru_cache
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from argosy.kit.rates import Standing
from argosy.serving.answers import Call
from argosy.serving.door import Access, Door
from argosy.serving.fast_path import FastPath
from argosy.serving.heads import Head, read_head
from argosy.serving.protocols.wire import (
    FIXED,
    MOST_LENGTHS,
    SECURE,
    Field,
    Wire,
    content,
    cycle_of,
    limits,
    write_whole,
)

JSON_FIXED = [*FIXED, (b"content-type", b"application/json")]
# A caller who goes is noticed after so long: before, looking for it would cost more than the answer.
LOOK_AFTER = 0.05
MOST_HEADS = 10_000
MOST_TRIES = 4
# The path, the query, and the fields of a head.
Fields = tuple[Any, ...]


class Way(Enum):
    """Where a request has to go that was not taken."""

    ALONE = "alone"
    LONG = "long"


Result = bytes | Exception | Way
ALONE: Result = Way.ALONE


class FastPathMiddleware:
    """Answers what the fast path takes; the application gets the rest, as it came.

    A head that was once read, and found to be a prediction that is known, is recognized by its fields. Requests that
    come about the same time enter together, as those of Argosy's own server do.
    """

    def __init__(self, app: ASGIApp, fast: FastPath, body_timeout: float) -> None:
        self._app = app
        self._fast = fast
        self._body_timeout = body_timeout
        self._heads: dict[Fields, tuple[Access, Head, Door | None]] = {}
        self._standing: Standing | None = None
        self._fixed = JSON_FIXED  # with the fields of that standing
        self._wire = Wire()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        head_fields = _fields_of(scope)
        known = self._heads.get(head_fields) or self._look_up(head_fields)
        if known is None:
            await self._app(scope, receive, send)
            return
        access, head, door = known
        message = await receive()
        messages, body = [message], message.get("body", b"")
        if message.get("more_body"):
            messages, body = await self._read(head, message, receive)
        answer = None
        # A body that is not whole came too slowly, or is not as long as its head says: the application words it.
        if len(body) == head.length and not messages[-1].get("more_body"):
            reply, result = Reply(access, head, body), ALONE
            try:
                if door is not None:
                    door.knock(access, reply)
                    try:
                        # A model that runs on the event loop has answered by then: nothing else is made for it.
                        await door.opening
                    except asyncio.CancelledError as cancelled:
                        _raise_own(cancelled)
                    result = reply.result or await reply.wait(receive)
                if result is ALONE:
                    result = await self._alone(head_fields, reply, receive)
            except BaseException:
                self._leave(reply)
                raise
            if self._is_written(send, reply, result, scope):
                return
            answer = self._answer(reply, result, scope.get("scheme"))
        if answer is None:
            await self._app(scope, _replay(messages, receive), send)
            return
        status, headers, content = answer
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _alone(self, head_fields: Fields, reply: "Reply", receive: Receive) -> Result:
        """Submit a request by itself, also where something has to be waited for: to be counted, or looked up again."""
        reply.result = None
        for _ in range(MOST_TRIES):
            now = time.monotonic()
            if not self._fast.holds(reply.access, now):
                self._heads.pop(head_fields, None)
                renewed = await asyncio.shield(self._fast.renew(reply.head))
                if renewed is None:
                    break
                reply.access = renewed
                continue
            taken = self._fast.submit(reply.access, reply.head, reply.body, reply.reply, now)
            if isinstance(taken, Call):
                reply.call = taken
                await _turn()
                return await reply.wait(receive)
            if taken is None:
                break
            await asyncio.shield(taken)
        return Way.LONG

    def _leave(self, reply: "Reply") -> None:
        if reply.call is None:
            reply.access.leave(reply)
        else:
            self._fast.abandon(reply.access, reply.call)

    def _look_up(self, head_fields: Fields) -> tuple[Access, Head, Door | None] | None:
        if not head_fields:
            return None
        path, query, *headers = head_fields
        head = read_head(b"POST", path + (b"?" + query if query else b""), headers)
        access = self._fast.find(head) if head else None
        if head is None or access is None:
            return None
        known = (access, head, access.door_for(head))
        if head.request_id is None:
            if len(self._heads) >= MOST_HEADS:
                self._heads.clear()
            self._heads[head_fields] = known
        return known

    def _is_written(self, send: Send, reply: "Reply", result: Result, scope: Scope) -> bool:
        """Write an answer in one piece, where the server is known to take it so."""
        call = reply.call
        if type(result) is not bytes or call is None or (cycle := cycle_of(send)) is None:
            return False
        reply.call = None  # as below
        secure = scope.get("scheme") == "https"
        write_whole(cycle, self._wire.answer(call, result, cycle.default_headers, secure=secure))
        return True

    def _answer(self, reply: "Reply", result: Result, scheme: str | None) -> tuple[int, list[Field], bytes] | None:
        # They know each other: what is done with must not wait for the garbage collector.
        call, reply.call = reply.call, None
        if call is None or isinstance(result, Way):
            return None
        secure = (SECURE,) if scheme == "https" else ()
        if not isinstance(result, Exception):
            if call.json_length is None and call.spent is None:
                if call.standing is not self._standing:  # calls that came together share one
                    self._standing, self._fixed = call.standing, JSON_FIXED + limits(call.standing)
                return 200, [*self._fixed, *own(call, len(result)), *secure], result
            return 200, [*FIXED, *content(call), *fields(call, len(result)), *secure], result
        refusal = self._fast.refusal(reply.access, reply.head, call, result)
        if refusal is None:
            return None
        told = refusal.body(call.request_id)
        return refusal.status, [*FIXED, *refusal.headers, *fields(call, len(told)), *secure], told

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


def _fields_of(scope: Scope) -> Fields:
    """Return what a request is recognized by; nothing of what is no prediction."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return ()
    # Servers need not give the path as it came; that of a prediction holds nothing that is written another way.
    return (scope.get("raw_path") or scope["path"].encode(), scope["query_string"], *scope["headers"])


def fields(call: Call, length: int) -> list[Field]:
    """Return the header fields that differ from answer to answer."""
    return [*own(call, length), *limits(call.standing)]


def own(call: Call, length: int) -> tuple[Field, ...]:
    """Return the fields that are of one answer only."""
    return _length_field(length), (b"x-request-id", call.request_id.encode())


@lru_cache(MOST_LENGTHS)
def _length_field(length: int) -> Field:
    return b"content-length", b"%d" % length


def _raise_own(cancelled: asyncio.CancelledError) -> None:
    """Raise it where this task is cancelled, and not another one that waited for the same."""
    task = asyncio.current_task()
    if task is None or task.cancelling():
        raise cancelled


@types.coroutine
def _turn() -> Generator[None]:
    """Wait for the next turn of the event loop, as `asyncio.sleep(0)` does, which costs a coroutine more."""
    yield


class Reply:
    """A request that waits for its answer: a visitor at the door, or by itself."""

    __slots__ = ("_waiting", "access", "body", "call", "head", "result")

    def __init__(self, access: Access, head: Head, body: bytes) -> None:
        self.access = access
        self.head = head
        self.body = body
        self.call: Call | None = None
        self.result: Result | None = None
        self._waiting: asyncio.Future[Result] | None = None

    def reply(self, _call: Call, result: bytes | Exception) -> None:
        """Take the answer."""
        self._take(result)

    def go_alone(self) -> None:
        """Be submitted by itself: something about it has to be waited for."""
        self._take(ALONE)

    def go_the_long_way(self) -> None:
        """Be answered by the typed route."""
        self._take(Way.LONG)

    async def wait(self, receive: Receive) -> Result:
        """Return what comes of it; raises `ConnectionResetError` when the caller goes, looked for after a while."""
        if self.result is not None:
            return self.result
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Result] = loop.create_future()
        self._waiting = waiting
        watch = loop.call_later(LOOK_AFTER, _watch, waiting, receive)
        try:
            return await waiting
        finally:
            watch.cancel()

    def _take(self, result: Result) -> None:
        self.result = result
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(result)


def _watch(waiting: asyncio.Future[Result], receive: Receive) -> None:
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
