"""Triton's stream of inferences: several run at once, the answers come in the order of the requests.

Memory is bounded by the requests that are under way: the next one is read when the oldest has been answered. A request
that cannot be answered says so in its `error_message`, and the others are not touched.
"""

import asyncio
from collections.abc import Callable

from argosy.kit.errors import ArgosyError, Unavailable
from argosy.kit.logs import get_logger
from argosy.kit.principal import Scope
from argosy.kit.web.entrance import require_scope
from argosy.kit.web.problems import translate
from argosy.serving.protocols.grpc_calls import Call, parse
from argosy.serving.protocols.grpc_service import InferenceService, split_name
from argosy.serving.protocols.grpc_status import message_of
from argosy.serving.protocols.proto import inference_pb2 as pb

UNDER_WAY = 8
Pending = asyncio.Queue[asyncio.Task[bytes] | None]
log = get_logger(__name__)


class InferenceStream:
    """One stream."""

    def __init__(
        self, call: Call, service: InferenceService, stamp: Callable[[], int], stopping: asyncio.Event
    ) -> None:
        self._call = call
        self._service = service
        self._stamp_now = stamp
        self._stamp = stamp()
        self._stopping = stopping
        self._free = asyncio.Semaphore(UNDER_WAY)

    async def run(self) -> None:
        """Answer until the client has no more; what ends the stream early is raised after what was under way."""
        await self._call.visit.enter(None)
        ended: Exception | None = None
        pending: Pending = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write(pending))
            stop = group.create_task(self._stopping.wait())
            try:
                while (raw := await self._next(stop)) is not None:
                    await self._admit()
                    pending.put_nowait(group.create_task(self._answer(raw)))
            except Exception as error:  # noqa: BLE001 - raised below
                ended = error
            pending.put_nowait(None)
            stop.cancel()
        if ended is not None:
            raise ended

    async def _next(self, stop: asyncio.Task[bool]) -> bytes | None:
        """Return the next request when there is room for it, None at the end; raises `Unavailable` at a stop."""
        await self._free.acquire()
        read = asyncio.ensure_future(self._call.about.read())
        try:
            await asyncio.wait({read, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not read.done():
                raise Unavailable("the server is stopping")
        finally:
            read.cancel()
        raw = read.result()
        return raw if isinstance(raw, bytes) else None

    async def _admit(self) -> None:
        """Look at the caller again when anything has changed; wait while there is more than the limit allows."""
        visit = self._call.visit
        if self._stamp != (stamp := self._stamp_now()):
            visit.forget()
            self._stamp = stamp
        principal = await visit.principal(None)
        require_scope(principal, Scope.PREDICT)
        await visit.wait(principal)

    async def _answer(self, raw: bytes) -> bytes:
        response = pb.ModelStreamInferResponse()
        try:
            asked = parse(pb.ModelInferRequest, raw)
            response.infer_response.id = asked.id
            org, _ = split_name(asked.model_name, "model_name")
            principal = await self._call.visit.principal(org)
            response.infer_response.CopyFrom(await self._service.answer(principal, asked))
        except Exception as error:
            known = translate(error)
            if known is None:
                log.exception("stream_failed")
            response.error_message = message_of(known or ArgosyError())
        return response.SerializeToString()

    async def _write(self, pending: Pending) -> None:
        while (answer := await pending.get()) is not None:
            await self._call.about.write(await answer)
            self._free.release()
