"""The comparison: every mode of every peer under every load, in rounds, so that a busy machine is busy for all."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import SubprocessError

from bench.measuring import Measurement, calmest
from bench.peers.base import Peer, Unavailable
from bench.servers import running
from bench.workloads import Case, Workload, WrongAnswer, prepare

Contender = tuple[Peer, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is compared."""

    peers: Sequence[Peer]
    workloads: Sequence[Workload]
    concurrency: Sequence[int]
    seconds: float
    rounds: int


@dataclass(slots=True)
class Outcome:
    """What was measured, and why what is missing is missing, by peer, mode and workload."""

    measurements: list[Measurement] = field(default_factory=list)
    missing: dict[tuple[str, str, str], str] = field(default_factory=dict)


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


def compare(plan: Plan, folder: Path, outcome: Outcome) -> list[Case]:
    """Run all rounds; return the cases, made ready."""
    cases = []
    for workload in plan.workloads:
        cases.append(prepare(workload, folder / workload.name))
        for turn in range(plan.rounds):
            say(f"{workload.title}, round {turn + 1} of {plan.rounds}")
            for contender in _rotated(plan.peers, turn):
                _take_turn(contender, cases[-1], plan, outcome)
    return cases


def _rotated(peers: Sequence[Peer], turn: int) -> Iterator[Contender]:
    """Yield all modes of all peers, beginning elsewhere each round."""
    contenders = [(peer, mode) for peer in peers for mode in peer.modes]
    start = turn * len(contenders) // 3
    for index in range(len(contenders)):
        yield contenders[(start + index) % len(contenders)]


def _take_turn(contender: Contender, case: Case, plan: Plan, outcome: Outcome) -> None:
    """Start one server and measure it; a server that fails is left out of the rounds that follow."""
    peer, mode = contender
    place = peer.name, mode, case.workload.name
    if place in outcome.missing:
        return
    try:
        with running(peer, mode, case) as server:
            for concurrency in plan.concurrency:
                measured = calmest(server, concurrency, plan.seconds)
                outcome.measurements.append(measured)
                figures = f"{measured.rate:10.0f}/s {measured.p99:10.2f} ms {measured.cpu_ms:8.3f} ms CPU"
                figures += f" {measured.stolen:6.1%} stolen"
                say(f"  {peer.name + ', ' + mode:32}{concurrency:4}{figures}")
    except (Unavailable, WrongAnswer, SubprocessError, OSError) as error:
        outcome.missing[place] = str(error)
        say(f"  {peer.name}, {mode}: {error}")
