"""Compares Argosy with other model servers, with FastAPI by hand and with a bare server: `python -m bench`.

`python -m bench lists` measures long lists instead.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from bench import lists
from bench.endurance import Endurance
from bench.peers import all_peers
from bench.peers.base import CACHE, Peer, Unavailable
from bench.plots import plot
from bench.report import Report
from bench.rounds import Outcome, Plan, compare, say
from bench.summary import Load, best_modes, medians
from bench.workloads import WORKLOADS, Case

PEERS = all_peers()
KINDS = {workload.name: workload for workload in WORKLOADS}


def names_of(known: Collection[str]) -> Callable[[str], list[str]]:
    """Return a reader of comma-separated names."""

    def read(text: str) -> list[str]:
        names = [name.strip().lower() for name in text.split(",")]
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}; there are {', '.join(known)}")
        return names

    return read


def numbers(text: str) -> list[int]:
    """Read comma-separated numbers."""
    return [int(number) for number in text.split(",")]


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--peers", type=names_of(PEERS), default=list(PEERS), help=f"of {','.join(PEERS)}")
    parser.add_argument("--workloads", type=names_of(KINDS), default=list(KINDS), help=f"of {','.join(KINDS)}")
    parser.add_argument("--concurrency", type=numbers, default=[1, 16, 64], help="connections, such as 1,16")
    parser.add_argument("--seconds", type=float, default=2.0, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--soak", type=int, default=5000, help="requests to watch memory over; 0 leaves it out")
    parser.add_argument("--soak-seconds", type=float, default=600.0, help="the longest that one server's soak takes")
    parser.add_argument("--overload", type=int, default=4096, help="connections to overload with; 0 leaves it out")
    parser.add_argument("--out", type=Path, default=CACHE / "report", help="folder of the tables and plots")
    return parser.parse_args()


def installed(names: list[str], outcome: Outcome) -> Iterator[tuple[Peer, str]]:
    """Bring the peers; yield those that could be brought, with their versions."""
    for name in names:
        peer = PEERS[name]
        say(f"{peer.name}: bringing it")
        try:
            yield peer, peer.install()
        except Unavailable as error:
            outcome.missing[peer.name, "all", "all"] = str(error)
            say(f"  {error}")


def endure(given: argparse.Namespace, report: Report, case: Case, folder: Path) -> None:
    """Run soak and overload on the best mode of each peer at the highest concurrency."""
    best = best_modes(medians(report.outcome.measurements))
    ranking = best.get(Load(case.workload.name, max(given.concurrency)), [])
    by_name = {peer.name: peer for peer in report.plan.peers}
    say("many requests, and too many")
    endurance = Endurance(given.soak, given.soak_seconds, given.overload, given.seconds)
    report.endurance = endurance.run([(by_name[one.peer], one.mode) for one in ranking], case, folder, report.outcome)


def main() -> None:
    """Bring, compare, and report; or measure lists."""
    if sys.argv[1:2] == ["lists"]:
        lists.main(sys.argv[2:])
        return
    given = options()
    outcome = Outcome()
    versions = dict(installed(given.peers, outcome))
    workloads = [KINDS[name] for name in given.workloads]
    plan = Plan(list(versions), workloads, given.concurrency, given.seconds, given.rounds)
    report = Report(plan, {peer.name: version for peer, version in versions.items()}, outcome)
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        cases = compare(plan, Path(temporary), outcome)
        report.write(given.out)  # what follows may be interrupted
        if given.soak or given.overload:
            endure(given, report, cases[0], Path(temporary))
    report.write(given.out)
    plot(outcome.measurements, given.out)
    print(report.markdown())


if __name__ == "__main__":
    main()
