"""Two runs that a comparison does not show: many requests in a row, and more than a server can take."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from subprocess import SubprocessError

from bench import processes
from bench.measuring import drive
from bench.peers.base import Peer, Unavailable
from bench.rounds import Outcome, say
from bench.servers import Server, running
from bench.workloads import Case, WrongAnswer

STEPS = 10
SOAK_CONCURRENCY = 16
LONGEST_STEP = 600.0
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Soak:
    """Memory after each tenth of the requests; `growth_mb` is of the second half, when caches and pools are full."""

    peer: str
    mode: str
    requests: int
    memory_mb: list[float]
    growth_mb: float


@dataclass(frozen=True, slots=True)
class Overload:
    """A server before, under and after more connections than it was measured with."""

    peer: str
    mode: str
    connections: int
    rate: float
    p99: float
    refused: int
    broken: int
    calm_p50: float
    after_p50: float


@dataclass(frozen=True, slots=True)
class Endurance:
    """What is asked of each server, in its best mode; 0 leaves a run out."""

    soak: int
    overload: int
    seconds: float

    def run(self, contenders: Iterable[tuple[Peer, str]], case: Case, outcome: Outcome) -> list[Soak | Overload]:
        """Run both on each server, one after the other."""
        found: list[Soak | Overload] = []
        for peer, mode in contenders:
            try:
                with running(peer, mode, case) as server:
                    found += [_soak(server, self.soak)] if self.soak else []
                    found += [_overload(server, self.overload, self.seconds)] if self.overload else []
            except (Unavailable, WrongAnswer, SubprocessError, OSError) as error:
                outcome.missing[peer.name, mode, "endurance"] = str(error)
                say(f"  {peer.name}, {mode}: {error}")
        for one in found:
            say(f"  {asdict(one)}")
        return found


def _soak(server: Server, requests: int) -> Soak:
    memory = []
    for _ in range(STEPS):
        drive(server, SOAK_CONCURRENCY, LONGEST_STEP, count=max(1, requests // STEPS))
        memory.append(processes.memory_bytes(server.pid) / MIB)
    return Soak(server.peer.name, server.mode, requests, memory, memory[-1] - memory[STEPS // 2 - 1])


def _overload(server: Server, connections: int, seconds: float) -> Overload:
    calm = drive(server, 1, seconds)
    over = drive(server, connections, seconds)
    after = drive(server, 1, seconds)
    return Overload(
        peer=server.peer.name,
        mode=server.mode,
        connections=connections,
        rate=over.rate,
        p99=over.p99,
        refused=sum(over.refused.values()),
        broken=over.broken,
        calm_p50=calm.p50,
        after_p50=after.p50,
    )
