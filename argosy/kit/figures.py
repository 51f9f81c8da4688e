"""Metrics of several processes as one: what counts is summed, and what is of a process says of which."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from pydantic import TypeAdapter

SUMMED = frozenset({"counter", "histogram", "summary"})
OF_A_PROCESS = "process_"
# When a counter began says nothing of a sum.
BEGAN = "_created"


@dataclass(slots=True)
class Family:
    """A metric with its samples: name, labels and value."""

    name: str
    help: str
    type: str
    samples: list[tuple[str, dict[str, str], float]] = field(default_factory=list)

    @property
    def is_summed(self) -> bool:
        """Whether the samples of several processes add up."""
        return self.type in SUMMED and not self.name.startswith(OF_A_PROCESS)


FAMILIES = TypeAdapter(list[Family])


def collected(registry: CollectorRegistry) -> list[Family]:
    """Return what a registry holds."""
    return [
        Family(metric.name, metric.documentation, metric.type, [sample[:3] for sample in metric.samples])
        for metric in registry.collect()
    ]


def summed(parts: Iterable[Iterable[Family]]) -> list[Family]:
    """Return the sum of what adds up; the rest is left out."""
    return _merged([(None, (family for family in part if family.is_summed)) for part in parts])


def together(departed: Iterable[Family], workers: Mapping[str, Iterable[Family]]) -> list[Family]:
    """Return the figures of all workers, with the counts of those that are gone."""
    return _merged([(None, departed), *workers.items()])


def _merged(parts: Iterable[tuple[str | None, Iterable[Family]]]) -> list[Family]:
    found: dict[str, Family] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for worker, families in parts:
        for family in families:
            found.setdefault(family.name, Family(family.name, family.help, family.type))
            sums = values.setdefault(family.name, {})
            for name, labels, value in family.samples:
                if name.endswith(BEGAN):
                    continue
                shown = labels if family.is_summed or worker is None else {**labels, "worker": worker}
                key = (name, tuple(shown.items()))
                sums[key] = sums.get(key, 0.0) + value
    for family in found.values():
        family.samples = [(name, dict(labels), value) for (name, labels), value in values[family.name].items()]
    return list(found.values())


class _Shown(Collector):
    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            metric = Metric(family.name, family.help, family.type)
            for name, labels, value in family.samples:
                metric.add_sample(name, labels, value)
            yield metric


def text(families: Iterable[Family]) -> bytes:
    """Return figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Shown(families))
    return generate_latest(registry)
