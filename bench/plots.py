"""The best modes as bars: requests a second and processor time, a picture for each workload."""

from pathlib import Path

from matplotlib.figure import Figure

from bench.measuring import Measurement
from bench.peers import ARGOSY, BARE
from bench.summary import best_modes, medians

COLOURS = {ARGOSY: "tab:blue", BARE: "lightgrey"}
OTHERS = "tab:grey"
FIGURES = (("rate", "requests/s"), ("p99", "p99, ms"), ("cpu_ms", "CPU ms a request"))


def plot(measurements: list[Measurement], folder: Path) -> None:
    """Write `{workload}.svg` for each workload."""
    by_workload: dict[str, list[tuple[int, list[Measurement]]]] = {}
    for load, ranking in best_modes(medians(measurements)).items():
        by_workload.setdefault(load.workload, []).append((load.concurrency, ranking))
    for workload, rows in by_workload.items():
        _picture(rows, folder / f"{workload}.svg")


def _picture(rows: list[tuple[int, list[Measurement]]], path: Path) -> None:
    """Draw a row of bars for each concurrency."""
    figure = Figure(figsize=(14, 3 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(FIGURES), squeeze=False)
    for line, (concurrency, ranking) in zip(axes, rows, strict=True):
        names = [one.peer for one in ranking]
        colours = [COLOURS.get(name, OTHERS) for name in names]
        for axis, (figure_name, title) in zip(line, FIGURES, strict=True):
            values = [getattr(one, figure_name) for one in ranking]
            axis.bar_label(axis.barh(names, values, color=colours), fmt="{:,.3g}", padding=3)
            axis.set_title(f"{title}, concurrency {concurrency}")
            axis.invert_yaxis()
            axis.margins(x=0.15)
    figure.savefig(path)
