"""Two runs that a comparison does not show: many requests in a row, and many times what a server can take."""

import http.client
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from subprocess import SubprocessError

from bench import processes
from bench.measuring import drive
from bench.peers.base import Peer, Unavailable
from bench.rounds import Outcome, say
from bench.servers import Server, running
from bench.workloads import HEAVY, Case, WrongAnswer, prepare

STEPS = 10
SOAK_CONCURRENCY = 16
MIB = 2**20
PEAK_CONCURRENCY = (16, 64)
TIMES = 10
SLOWER = 3
CLIENT_SECONDS = 0.002
LONGEST_RECOVERY = 60.0


@dataclass(frozen=True, slots=True)
class Soak:
    """Memory after each tenth of the run; growth is that of the second half, when caches and pools are full."""

    peer: str
    mode: str
    requests: int
    memory_mb: list[float]
    growth_mb: float
    growth_mb_per_million: float


@dataclass(frozen=True, slots=True)
class Overload:
    """A server at what it can, under many times that, and after it.

    `capacity` and `goodput` are good answers a second; `recovery` is seconds until a request takes no more than thrice
    what it took before, `growth_mb` the memory more at the end of the overload.
    """

    peer: str
    mode: str
    connections: int
    capacity: float
    offered: float
    goodput: float
    ratio: float
    p99: float
    refused: int
    refused_p99: float
    unsent: int
    broken: int
    recovery: float
    growth_mb: float


@dataclass(frozen=True, slots=True)
class Endurance:
    """What is asked of each server, in its best mode; 0 leaves a run out. A soak ends after `soak_seconds` at most."""

    soak: int
    soak_seconds: float
    overload: int
    seconds: float

    def run(
        self, contenders: Sequence[tuple[Peer, str]], case: Case, folder: Path, outcome: Outcome
    ) -> list[Soak | Overload]:
        """Run the soak on a case, and the overload on a heavy one, on each server, one after the other."""
        found: list[Soak | Overload] = []
        if self.soak:
            soak = partial(_soak, requests=self.soak, seconds=self.soak_seconds)
            found += [one for peer, mode in contenders for one in _on(peer, mode, case, soak, outcome)]
        if self.overload:
            heavy, overload = (
                prepare(HEAVY, folder / HEAVY.name),
                partial(_overload, connections=self.overload, seconds=self.seconds),
            )
            found += [one for peer, mode in contenders for one in _on(peer, mode, heavy, overload, outcome)]
        return found


def _on(
    peer: Peer, mode: str, case: Case, measured: Callable[[Server], Soak | Overload], outcome: Outcome
) -> Iterator[Soak | Overload]:
    """Yield what is measured of a server, if it can be."""
    try:
        with running(peer, mode, case) as server:
            found = measured(server)
    except (Unavailable, WrongAnswer, SubprocessError, OSError) as error:
        outcome.missing[peer.name, mode, "endurance"] = str(error)
        say(f"  {peer.name}, {mode}: {error}")
    else:
        say(f"  {asdict(found)}")
        yield found


def _soak(server: Server, requests: int, seconds: float) -> Soak:
    memory, counts = [], []
    for _ in range(STEPS):
        done = drive(server, SOAK_CONCURRENCY, seconds / STEPS, count=max(1, requests // STEPS))
        counts.append(done.count)
        memory.append(processes.memory_bytes(server.pid) / MIB)
    growth = memory[-1] - memory[STEPS // 2 - 1]
    millions = sum(counts[STEPS // 2 :]) / 1_000_000
    return Soak(server.peer.name, server.mode, sum(counts), memory, growth, growth / millions)


def _overload(server: Server, connections: int, seconds: float) -> Overload:
    calm = drive(server, 1, seconds)
    peak = max((drive(server, many, seconds) for many in PEAK_CONCURRENCY), key=lambda one: one.rate)
    before = processes.memory_bytes(server.pid)
    over = drive(server, connections, seconds, rate=peak.rate * TIMES)
    return Overload(
        peer=server.peer.name,
        mode=server.mode,
        connections=connections,
        capacity=peak.rate,
        offered=(over.sent + over.unsent) / over.seconds,
        goodput=over.rate,
        ratio=over.rate / peak.rate,
        p99=over.p99,
        refused=sum(over.refused.values()),
        refused_p99=over.refused_p99,
        unsent=over.unsent,
        broken=over.broken,
        recovery=_recovery(server, calm.p50 / 1000 * SLOWER),
        growth_mb=(processes.memory_bytes(server.pid) - before) / MIB,
    )


def _recovery(server: Server, usual: float) -> float:
    """Return the seconds until a request takes no longer than usual; NaN when it never does."""
    began, call = time.perf_counter(), server.peer.call(server.case, server.mode, server.case.inputs[0])
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONGEST_RECOVERY)
    headers = {"Content-Type": "application/json", **call.headers}
    with closing(connection):
        while (now := time.perf_counter()) - began < LONGEST_RECOVERY:
            connection.request("POST", call.path, call.body, headers)
            response = connection.getresponse()
            response.read()
            # A connection of Python's standard library is slower than the load generator's by less than this.
            if response.status == 200 and time.perf_counter() - now <= usual + CLIENT_SECONDS:
                return now - began
    return float("nan")
