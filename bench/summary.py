"""From measurements to figures: medians over the rounds, and of each peer's modes the best."""

import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bench.measuring import Measurement
from bench.peers import ARGOSY, BARE, BY_HAND

FIGURES = ("rate", "p50", "p99", "cpu_ms", "memory_mb", "start_seconds")


class Load(NamedTuple):
    """A workload at a concurrency."""

    workload: str
    concurrency: int


def medians(measurements: Iterable[Measurement]) -> list[Measurement]:
    """Return one measurement for each mode and load: the medians of the rounds, the sums of what failed."""
    groups: dict[tuple[str, str, Load], list[Measurement]] = {}
    for one in measurements:
        groups.setdefault((one.peer, one.mode, load_of(one)), []).append(one)
    return [_median(group) for group in groups.values()]


def _median(group: Sequence[Measurement]) -> Measurement:
    figures = {name: statistics.median(getattr(one, name) for one in group) for name in FIGURES}
    failed = {name: sum(getattr(one, name) for one in group) for name in ("refused", "broken")}
    return group[0].model_copy(update={**figures, **failed})


def load_of(measurement: Measurement) -> Load:
    """Return what a measurement was of."""
    return Load(measurement.workload, measurement.concurrency)


def best_modes(measurements: Iterable[Measurement]) -> dict[Load, list[Measurement]]:
    """Return, for each load, the fastest mode of each peer, fastest peer first."""
    best: dict[Load, dict[str, Measurement]] = {}
    for one in measurements:
        peers = best.setdefault(load_of(one), {})
        if one.peer not in peers or one.rate > peers[one.peer].rate:
            peers[one.peer] = one
    return {load: sorted(peers.values(), key=lambda one: -one.rate) for load, peers in best.items()}


class ModeRatio(NamedTuple):
    """One of Argosy's modes: its figures divided by the best peer's, the bare server's and the compact mode's."""

    load: Load
    mode: str
    rate: float
    p99: float
    cpu_ms: float
    peer: str
    rate_over_peer: float
    p99_over_peer: float
    cpu_over_peer: float
    rate_over_bare: float
    cpu_over_compact: float


def mode_ratios(measured: Sequence[Measurement]) -> list[ModeRatio]:
    """Compare each of Argosy's modes with the best mode of the best peer at each load; NaN where one is not there."""
    found = []
    for load, ranking in best_modes(measured).items():
        at_load = [one for one in measured if load_of(one) == load]
        peer = next((one for one in ranking if one.peer not in {ARGOSY, BARE, BY_HAND}), None)
        bare = next((one for one in ranking if one.peer == BARE), None)
        modes = [one for one in at_load if one.peer == ARGOSY]
        compact = next((one for one in modes if one.mode == "compact"), None)
        found += [
            ModeRatio(
                load,
                one.mode,
                one.rate,
                one.p99,
                one.cpu_ms,
                peer.peer if peer else "-",
                _over(one.rate, peer.rate if peer else None),
                _over(one.p99, peer.p99 if peer else None),
                _over(one.cpu_ms, peer.cpu_ms if peer else None),
                _over(one.rate, bare.rate if bare else None),
                _over(one.cpu_ms, compact.cpu_ms if compact else None),
            )
            for one in modes
        ]
    return found


def _over(value: float, other: float | None) -> float:
    return value / other if other else float("nan")


class Ratio(NamedTuple):
    """Argosy's figures divided by another's: more than 1 is more requests, or more time."""

    load: Load
    other: str
    rate: float
    p99: float
    cpu: float


def ratios(best: dict[Load, list[Measurement]]) -> list[Ratio]:
    """Compare Argosy with the best peer, with what is written by hand, and with the bare server, at each load."""
    found = []
    for load, ranking in best.items():
        by_name = {one.peer: one for one in ranking}
        argosy = by_name.pop(ARGOSY, None)
        products = [one for one in ranking if one.peer not in {ARGOSY, BARE, BY_HAND}]
        others = [products[0] if products else None, by_name.get(BY_HAND), by_name.get(BARE)]
        found += [_ratio(load, argosy, other) for other in others if argosy and other]
    return found


def _ratio(load: Load, argosy: Measurement, other: Measurement) -> Ratio:
    # A short run on a fast server may use less processor time than the system's clock can tell.
    cpu = _over(argosy.cpu_ms, other.cpu_ms)
    return Ratio(load, other.peer, argosy.rate / other.rate, argosy.p99 / other.p99, cpu)
