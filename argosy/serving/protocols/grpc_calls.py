"""What every gRPC call has around it: context, a request read in bounded time, errors, log and metrics."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from grpc import StatusCode
from grpc.aio import ServicerContext

from argosy.kit import context
from argosy.kit.errors import ArgosyError, BadRequest, Forbidden, RequestTimeout
from argosy.kit.logs import get_logger
from argosy.kit.web.entrance import Entrance
from argosy.kit.web.metrics import Metrics
from argosy.kit.web.middleware import request_id_of, shown_agent
from argosy.kit.web.problems import translate
from argosy.serving.protocols.grpc_status import code_of, message_of, metadata_of
from argosy.serving.protocols.grpc_visit import Addresses, Visit

Context = ServicerContext[object, bytes]  # what is read is bytes, or the end
M = TypeVar("M", bound=Message)
Denied = Callable[[Forbidden], Awaitable[None]]
log = get_logger("argosy.access")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What calls share."""

    entrance: Entrance
    addresses: Addresses
    metrics: Metrics
    denied: Denied
    body_timeout: float


class Call:
    """One gRPC call. Requests come as bytes and are parsed here: what cannot be parsed is the client's to mend."""

    def __init__(self, around: Surroundings, method: str, about: Context) -> None:
        self._around = around
        self._method = method
        self.about = about
        self._metadata: dict[str, str] = {}
        for name, value in about.invocation_metadata() or ():
            self._metadata.setdefault(name, value if isinstance(value, str) else "")
        self.visit = Visit(around.entrance, self._metadata)

    async def run(self, work: "Work", *, counted: bool) -> bytes | None:
        """Do the work of the call, and end it with a status; `counted` also when nobody is known."""
        started = time.perf_counter()
        code = StatusCode.CANCELLED
        request_id = request_id_of(self._metadata.get("x-request-id", ""))
        try:
            address = await self._around.addresses.of(self.about.peer(), self._metadata)
            context.begin_request(request_id, address, shown_agent(self._metadata.get("user-agent", "")))
            if counted:
                await self.visit.arrive()
            answer = await work(self)
            code = StatusCode.OK
            self.about.set_trailing_metadata(self._told(request_id))
        except Exception as error:  # noqa: BLE001 - it goes to the client, or to the log
            told = await self._problem(error)
            code = code_of(told)
            await self.about.abort(code, message_of(told), self._told(request_id, *metadata_of(told)))
        finally:
            self._record(code, time.perf_counter() - started)
        return answer

    async def read(self, kind: type[M]) -> M:
        """Return the request of a call that has one; raises `RequestTimeout` and `BadRequest`."""
        raw = await self._read()
        if raw is None:
            raise BadRequest("the call has no request")
        return parse(kind, raw)

    async def requests(self, kind: type[M]) -> AsyncIterator[M]:
        """Yield the requests of a call that has several; raises what `read` raises."""
        while (raw := await self._read()) is not None:
            yield parse(kind, raw)

    async def _read(self) -> bytes | None:
        try:
            async with asyncio.timeout(self._around.body_timeout):
                raw = await self.about.read()
        except TimeoutError:
            raise RequestTimeout("the request stopped arriving, or came too slowly") from None
        return raw if isinstance(raw, bytes) else None

    async def _problem(self, error: Exception) -> ArgosyError:
        known = translate(error)
        if known is None:
            log.error("unhandled_error", path=self._method, exc_info=error)
            return ArgosyError()
        if isinstance(known, Forbidden):
            await self._around.denied(known)
        return known

    def _told(self, request_id: str, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
        standing = self.visit.standing
        limits = [(name.lower(), value) for name, value in standing.headers.items()] if standing else []
        told = [(name.lower(), value) for name, value in context.told().items()]
        return (("x-request-id", request_id), *dict([*limits, *told, *more]).items())

    def _record(self, code: StatusCode, seconds: float) -> None:
        self._around.metrics.requests.series("GRPC", self._method, code.name).observe(seconds)
        log.info("request", method="GRPC", path=self._method, status=code.name, ms=round(seconds * 1000, 2))


Work = Callable[[Call], Awaitable[bytes | None]]


def parse(kind: type[M], raw: bytes) -> M:
    """Return a message; raises `BadRequest`."""
    try:
        return kind.FromString(raw)
    except DecodeError:
        raise BadRequest(f"the request is no {kind.DESCRIPTOR.full_name}") from None
