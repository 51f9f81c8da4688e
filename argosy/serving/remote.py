"""Models that run elsewhere: any server of the Open Inference Protocol, behind the interface of a local queue.

A call that found nobody is repeated after a while; when calls keep failing, none is sent until the server says that it
is ready.
"""

import asyncio
import random

import httpcore2

from argosy.kit.logs import get_logger
from argosy.kit.outgoing import Outgoing, TargetRefused
from argosy.serving.batching import BatchingLimits, Settle, Waiting
from argosy.serving.breaker import Breaker
from argosy.serving.errors import BackendFailed, BackendUnavailable, ModelRejectedInput, Overloaded, PredictionTimedOut
from argosy.serving.protocols.oip_client import OipClient, UnreadableAnswer
from argosy.serving.queue import Ticket
from argosy.serving.runtime import Outputs, Tensors
from argosy.serving.target import Backend
from argosy.signature.spec import Signature

FIRST_WAIT, LONGEST_WAIT = 0.05, 2.0
LOOK_SECONDS = 5.0
MOST_ANSWER = 256 * 2**20
# The other server is there, but not able to answer now.
BUSY = frozenset({429, 502, 503, 504})
UNREACHABLE = (OSError, TimeoutError, httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError)
log = get_logger(__name__)


class NobodyThere(Exception):
    """The other server could not be reached, or is too busy; asking again may help."""


class RemoteLane:
    """The calls of one model on another server; they are not run together, which is its business."""

    def __init__(
        self, backend: Backend, signature: Signature, outgoing: Outgoing, limits: BatchingLimits, settle: Settle
    ) -> None:
        self.limits = limits
        self.closed = False
        self._backend = backend
        self._client = OipClient(signature, binary=backend.binary)
        self._pool = outgoing.pool(backend.connections)
        self._settle = settle
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[Ticket, asyncio.Task[None]] = {}
        self._rows = 0
        version = f"/versions/{backend.version}" if backend.version else ""
        self._url = f"{backend.url}/v2/models/{backend.model}{version}"
        self._breaker = Breaker(self.is_ready)

    async def is_ready(self) -> bool:
        """Ask the other server whether it serves the model."""
        async with asyncio.timeout(LOOK_SECONDS):
            status, _, _ = await self._request("GET", f"{self._url}/ready", {}, b"")
        return status == 200  # noqa: PLR2004

    def submit(self, ticket: Ticket, deadline: float | None = None) -> None:
        """Send a request; raises `Overloaded` when too many are under way, `BackendUnavailable` when nobody answers."""
        if self._breaker.is_open:
            raise BackendUnavailable("the server that runs this model does not answer", retry_after=5)
        if self._rows + ticket.rows > self.limits.queue_rows and self._tasks:
            raise Overloaded
        self._rows += ticket.rows
        self._tasks[ticket] = self._loop.create_task(self._answer(ticket, deadline))

    async def infer(self, tensors: Tensors, rows: int, caller: object, deadline: float | None = None) -> Outputs:
        """Return the outputs of one request; raises `Overloaded`, and what a prediction can."""
        waiting = Waiting(tensors, rows, caller, self._loop.create_future())
        self.submit(waiting, deadline)
        try:
            return await waiting.outputs
        except asyncio.CancelledError:
            self.abandon(waiting)
            raise

    def abandon(self, ticket: Ticket) -> None:
        """Let go of a request that nobody waits for."""
        ticket.gone = True
        task = self._tasks.get(ticket)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Close the connections, after what is under way."""
        self.closed = True
        self._breaker.close()
        if self._tasks:
            await asyncio.wait([*self._tasks.values()])
        await self._pool.aclose()

    async def _answer(self, ticket: Ticket, deadline: float | None) -> None:
        result: Outputs | Exception
        ends = self._loop.time() + self._backend.timeout
        try:
            async with asyncio.timeout_at(ends if deadline is None else min(ends, deadline)):
                result = await self._repeated(ticket.tensors)
        except TimeoutError:
            if self._loop.time() >= ends:  # a caller in a hurry says nothing about the server
                self._breaker.failed()
            result = PredictionTimedOut("the server that runs this model did not answer in time")
        except Exception as error:  # noqa: BLE001 - it goes to whoever called
            result = error
        finally:
            del self._tasks[ticket]
            self._rows -= ticket.rows
        self._settle([ticket], result)

    async def _repeated(self, tensors: Tensors) -> Outputs:
        wait = FIRST_WAIT
        for left in range(self._backend.retries, -1, -1):
            try:
                outputs = await self._once(tensors)
            except NobodyThere as error:
                self._breaker.failed()
                if not left or self._breaker.is_open:
                    raise BackendUnavailable(
                        "the server that runs this model does not answer", retry_after=1
                    ) from error
                await asyncio.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 - not all at once, no secret
                wait = min(LONGEST_WAIT, wait * 2)
            else:
                self._breaker.succeeded()
                return outputs
        raise AssertionError("the last repetition returns or raises")

    async def _once(self, tensors: Tensors) -> Outputs:
        headers, content = self._client.encode(tensors)
        try:
            status, answered, body = await self._request("POST", f"{self._url}/infer", headers, content)
        except UNREACHABLE as error:
            raise NobodyThere from error
        if status in BUSY:
            raise NobodyThere
        if status in {400, 413, 422}:
            raise ModelRejectedInput("the server that runs this model does not take this input", backend_status=status)
        if status != 200:  # noqa: PLR2004
            log.warning("backend_failed", url=self._url, status=status)
            raise BackendFailed("the server that runs this model refused to", backend_status=status)
        try:
            return self._client.decode(answered, body)
        except UnreadableAnswer as error:
            log.warning("backend_answer_unreadable", url=self._url, error=str(error))
            raise BackendFailed("the answer of the server that runs this model cannot be read") from error

    async def _request(
        self, method: str, url: str, headers: dict[str, str], content: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        sent = {"Host": self._host, "Accept-Encoding": "identity", **dict(self._backend.headers), **headers}
        if method == "POST":
            sent["Content-Length"] = str(len(content))
        try:
            async with self._pool.stream(method, url, headers=[*sent.items()], content=content) as response:
                body = bytearray()
                async for chunk in response.aiter_stream():
                    body += chunk
                    if len(body) > MOST_ANSWER:
                        raise BackendFailed("the answer of the server that runs this model is too large")
                fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                return response.status, fields, bytes(body)
        except TargetRefused as error:
            raise BackendFailed("the server that runs this model may not be called") from error

    @property
    def _host(self) -> str:
        return self._backend.url.partition("://")[2].partition("/")[0]
