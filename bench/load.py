"""The load generator: keeps connections busy with prepared requests, one at a time on each.

It runs in a process of its own (`python -m bench.load`, a `Spec` on standard input, a `Result` on standard output), so
that its work is not counted as the server's, and reads no more of an answer than its status and its length, so that it
leaves the machine to the server.
"""

import asyncio
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import cast

import uvloop
from pydantic import Base64Bytes, BaseModel

from bench import processes

RETRY_SECONDS = 0.01
PACE_SECONDS = 0.001
HEAD_END = b"\r\n\r\n"
GOOD = b" 200"
LENGTH = b"content-length:"
CHUNKS_END = b"0\r\n\r\n"


class Spec(BaseModel):
    """A load: `concurrency` connections, requests handed out in turn, measured after a warm-up."""

    host: str = "127.0.0.1"
    port: int
    requests: list[Base64Bytes]
    concurrency: int
    seconds: float
    warm_up: float = 0.0
    count: int | None = None
    rate: float | None = None  # requests a second, whatever comes back; unset: each connection when it has its answer
    server: int


class Result(BaseModel, ser_json_inf_nan="constants"):
    """What happened in the measured time; latencies are milliseconds of the answers with status 200."""

    seconds: float
    count: int
    refused: dict[int, int]
    broken: int
    p50: float
    p99: float
    cpu_seconds: float
    stolen: float  # share of the processor time wanted on this machine that its hypervisor gave others
    answers: dict[int, Base64Bytes]
    refused_p99: float = float("nan")
    sent: int = 0
    unsent: int = 0  # due, while no connection was free

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.count / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Processor time of the whole process tree for an answer, of any status."""
        return self.cpu_seconds * 1000 / max(1, self.count + sum(self.refused.values()))


@dataclass
class Tally:
    """What is counted from the moment it is made."""

    latencies: list[float] = field(default_factory=list)
    refused: dict[int, int] = field(default_factory=dict)
    refusals: list[float] = field(default_factory=list)
    sent: int = 0
    unsent: int = 0
    broken: int = 0
    answers: dict[int, bytes] = field(default_factory=dict)


class Load:
    """Connections to one server, and the tally of what they see."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.tally = Tally()
        self.stopped = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.free: deque[Connection] = deque()

    def connect(self, index: int, delay: float = 0.0) -> None:
        """Open a connection, in the background."""
        task = asyncio.create_task(self._connect(index, delay))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, index: int, delay: float) -> None:
        await asyncio.sleep(delay)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: Connection(self, index), self.spec.host, self.spec.port)
        except OSError:
            self.lost(index, broken=True)

    def lost(self, index: int, *, broken: bool) -> None:
        """Note that a connection ended, and open another."""
        if not self.stopped.is_set():
            self.tally.broken += broken
            self.connect(index, RETRY_SECONDS if broken else 0.0)

    async def pace(self, rate: float) -> None:
        """Send at a rate, on whatever connection is free; what is due while none is, is counted and left out."""
        started, due = time.perf_counter(), 0
        while not self.stopped.is_set():
            while due < (time.perf_counter() - started) * rate:
                due += 1
                if self.free:
                    self.free.popleft().send(time.perf_counter())
                else:
                    self.tally.unsent += 1
            await asyncio.sleep(PACE_SECONDS)

    def answered(self, index: int, answer: bytes, seconds: float) -> None:
        """Count an answer, as it came."""
        tally = self.tally
        if answer.startswith(GOOD, 8):
            tally.latencies.append(seconds)
            tally.answers[index] = answer
        else:
            status = int(answer[9:12])
            tally.refused[status] = tally.refused.get(status, 0) + 1
            tally.refusals.append(seconds)
        if self.spec.count is not None and len(tally.latencies) >= self.spec.count:
            self.stopped.set()


class Connection(asyncio.Protocol):
    """Sends a request, and the next one when the answer is complete."""

    def __init__(self, load: Load, index: int) -> None:
        self._load = load
        self._index = index
        self._turn = index
        self._requests = load.spec.requests
        self._received = b""
        self._sent = 0.0
        self._waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without inheriting from it
        self._next(time.perf_counter())

    def _next(self, now: float) -> None:
        if self._load.spec.rate is None:
            self.send(now)
        else:
            self._load.free.append(self)

    def send(self, now: float) -> None:
        """Send the next request."""
        self._load.tally.sent += 1
        self._received = b""
        self._waits = True
        self._sent = now
        self._transport.write(self._requests[self._turn % len(self._requests)])

    def data_received(self, data: bytes) -> None:
        self._received = received = self._received + data if self._received else data
        if not is_whole(received):
            return
        now = time.perf_counter()
        self._waits = False
        self._load.answered(self._turn % len(self._requests), received, now - self._sent)
        self._turn += self._load.spec.concurrency
        if self._load.stopped.is_set():
            self._transport.abort()
        elif not self._transport.is_closing():
            self._next(now)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - its interface
        if self in self._load.free:
            self._load.free.remove(self)
        self._load.lost(self._index, broken=self._waits)


def is_whole(received: bytes) -> bool:
    """Tell whether an answer is complete; what is done for each is as little as can be."""
    end = received.find(HEAD_END)
    if end < 0:
        return False
    at = received.find(LENGTH, 0, end)
    if at < 0 and (at := received[:end].lower().find(LENGTH.lower())) < 0:
        return received.endswith(CHUNKS_END)
    at += len(LENGTH)
    return len(received) - end - len(HEAD_END) >= int(received[at : received.find(b"\r", at)])


def body_of(answer: bytes) -> bytes:
    """Return the body of a complete answer."""
    head, _, body = answer.partition(HEAD_END)
    return body if LENGTH.lower() in head.lower() else _joined_chunks(body)


def _joined_chunks(chunked: bytes) -> bytes:
    body = b""
    while chunked:
        size, _, chunked = chunked.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        body, chunked = body + chunked[:length], chunked[length + 2 :]
    return body


async def run(spec: Spec) -> Result:
    """Put a load on a server and return what happened after the warm-up."""
    load = Load(spec)
    for index in range(spec.concurrency):
        load.connect(index)
    pacing = asyncio.create_task(load.pace(spec.rate)) if spec.rate is not None else None
    await asyncio.sleep(spec.warm_up)
    before, machine = processes.cpu_seconds(spec.server), processes.wanted_and_stolen()
    load.tally, started = Tally(), time.perf_counter()
    try:
        async with asyncio.timeout(spec.seconds):
            await load.stopped.wait()
    except TimeoutError:
        load.stopped.set()
    if pacing is not None:
        await pacing
    seconds, tally, load.tally = time.perf_counter() - started, load.tally, Tally()
    wanted, stolen = (now - then for now, then in zip(processes.wanted_and_stolen(), machine, strict=True))
    return _result(tally, seconds, processes.cpu_seconds(spec.server) - before, stolen / max(wanted, 1))


def _result(tally: Tally, seconds: float, cpu_seconds: float, stolen: float) -> Result:
    times = sorted(tally.latencies)
    return Result.model_construct(
        seconds=seconds,
        count=len(times),
        refused=tally.refused,
        broken=tally.broken,
        p50=percentile(times, 0.5) * 1000,
        p99=percentile(times, 0.99) * 1000,
        cpu_seconds=cpu_seconds,
        stolen=stolen,
        answers={index: body_of(answer) for index, answer in tally.answers.items()},
        refused_p99=percentile(sorted(tally.refusals), 0.99) * 1000,
        sent=tally.sent,
        unsent=tally.unsent,
    )


def percentile(ordered: list[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def main() -> None:
    """Read a load from standard input, run it, write the result to standard output."""
    spec = Spec.model_validate_json(sys.stdin.buffer.read())
    sys.stdout.write(uvloop.run(run(spec)).model_dump_json())


if __name__ == "__main__":
    main()
