"""The outcome as Markdown for people and as JSON for programs."""

import json
import math
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.endurance import Overload, Soak
from bench.measuring import Measurement
from bench.rounds import Outcome, Plan
from bench.summary import best_modes, medians, mode_ratios, ratios

MEASURED = ("Server", "Mode", "Requests/s", "p50 ms", "p99 ms", "CPU ms", "Memory MB", "Start s", "Failed")
RATIOS = ("Workload", "Concurrency", "Argosy over", "Requests/s", "p99", "CPU")
MODES = (
    "Workload", "Concurrency", "Argosy", "Requests/s", "p99 ms", "CPU ms", "Best peer", "Requests/s over it",
    "p99 over it", "CPU over it", "Requests/s over bare", "CPU over compact",
)  # fmt: skip
SOAKS = ("Server", "Mode", "Requests", "First MB", "Half-way MB", "Last MB", "Growth MB", "MB per million")
OVERLOADS = (
    "Server", "Mode", "Connections", "Capacity", "Offered", "Goodput", "Ratio", "p99 ms", "Refused", "Refused p99 ms",
    "Not sent", "Broken", "Recovery s", "Growth MB",
)  # fmt: skip


@dataclass(slots=True)
class Report:
    """All that was found."""

    plan: Plan
    versions: dict[str, str]
    outcome: Outcome
    endurance: list[Soak | Overload] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Write `report.md` and `report.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.md").write_text(self.markdown())
        (folder / "report.json").write_text(json.dumps(_finite(self.content()), indent=1) + "\n")

    def content(self) -> dict[str, Any]:
        """Return every measurement of every round, and what was made of them."""
        best = best_modes(medians(self.outcome.measurements))
        return {
            "machine": machine(),
            "versions": self.versions,
            "seconds": self.plan.seconds,
            "rounds": self.plan.rounds,
            "measurements": [one.model_dump() for one in self.outcome.measurements],
            "best": [one.model_dump() for ranking in best.values() for one in ranking],
            "ratios": [{**one._asdict(), "load": one.load._asdict()} for one in ratios(best)],
            "modes": [
                {**one._asdict(), "load": one.load._asdict()} for one in mode_ratios(medians(self.outcome.measurements))
            ],
            "endurance": [asdict(one) for one in self.endurance],
            "missing": self.missing(),
        }

    def missing(self) -> list[dict[str, str]]:
        """Return what took no part, and why."""
        return [
            {"server": peer, "mode": mode, "workload": workload, "reason": " ".join(reason.split())}
            for (peer, mode, workload), reason in self.outcome.missing.items()
        ]

    def markdown(self) -> str:
        """Return the tables."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        head = f"{machine()}. {versions}. Medians of {self.plan.rounds} rounds of {self.plan.seconds:g} s."
        head += f" {noise(self.outcome.measurements)}"
        return (
            "\n\n".join(
                [
                    "# Predictions compared",
                    head,
                    *self._measured(),
                    *self._endured(),
                    *self._left_out(),
                    *self._ratios(),
                ]
            )
            + "\n"
        )

    def _measured(self) -> list[str]:
        titles = {workload.name: workload.title for workload in self.plan.workloads}
        best = best_modes(medians(self.outcome.measurements))
        parts = []
        for load, ranking in best.items():
            parts.append(f"## {load.workload.capitalize()}: {titles[load.workload]}; concurrency {load.concurrency}")
            parts.append(table(MEASURED, (_cells(one.model_dump()) for one in ranking)))
        return parts

    def _ratios(self) -> list[str]:
        found = ratios(best_modes(medians(self.outcome.measurements)))
        rows = [(one.load.workload, one.load.concurrency, *one[1:]) for one in found]
        modes = [(*one.load, *one[1:]) for one in mode_ratios(medians(self.outcome.measurements))]
        return ["## Argosy's modes", table(MODES, modes), "## Ratios", table(RATIOS, rows)] if rows else []

    def _endured(self) -> list[str]:
        soaks = [_soak_cells(one) for one in self.endurance if isinstance(one, Soak)]
        overloads = [tuple(asdict(one).values()) for one in self.endurance if isinstance(one, Overload)]
        parts = ["## Memory over many requests", table(SOAKS, soaks)] if soaks else []
        return [*parts, "## Overload", table(OVERLOADS, overloads)] if overloads else parts

    def _left_out(self) -> list[str]:
        if not self.outcome.missing:
            return []
        columns = ("Server", "Mode", "Workload", "Reason")
        return ["## Not measured", table(columns, (tuple(one.values()) for one in self.missing()))]


def _cells(one: dict[str, Any]) -> tuple[object, ...]:
    names = ("peer", "mode", "rate", "p50", "p99", "cpu_ms", "memory_mb", "start_seconds")
    return (*(one[name] for name in names), one["refused"] + one["broken"])


def _soak_cells(one: Soak) -> tuple[object, ...]:
    half_way = one.memory_mb[len(one.memory_mb) // 2 - 1]
    memory = (one.memory_mb[0], half_way, one.memory_mb[-1])
    return one.peer, one.mode, one.requests, *memory, one.growth_mb, one.growth_mb_per_million


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; columns line up in plain text too."""
    lines = [list(columns), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value).replace("|", "\\|")
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def _finite(content: Any) -> Any:  # noqa: ANN401 - any JSON
    """Replace NaN, which JSON does not have."""
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def noise(measurements: Sequence[Measurement]) -> str:
    """Say how much of the processor time the hypervisor gave others meanwhile."""
    stolen = [one.stolen for one in measurements]
    if not stolen:
        return ""
    median, most = statistics.median(stolen), max(stolen)
    return f"The hypervisor gave others {median:.1%} of the processor time (median), at most {most:.1%}."


def machine() -> str:
    """Say what it was measured on."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
