"""What is counted of requests, in Prometheus' terms.

Labels name routes by their templates, never tenants, people or models: their number is bounded, and they tell nothing.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BOUNDS = [*map(str, SECONDS), "+Inf"]


class Series:
    """The requests of one method, route and status; counting one takes a fraction of a microsecond."""

    __slots__ = ("buckets", "total")

    def __init__(self) -> None:
        self.buckets = [0] * len(BOUNDS)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count a request that took so long."""
        self.buckets[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds

    def observe_all(self, seconds: Sequence[float]) -> None:
        """Count requests, of which there is one at least; most often all took about the same."""
        lowest = bisect_left(SECONDS, min(seconds))
        if lowest == bisect_left(SECONDS, max(seconds)):
            self.buckets[lowest] += len(seconds)
            self.total += sum(seconds)
        else:
            for one in seconds:
                self.observe(one)


class Requests(Collector):
    """All requests; used from the event loop only."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, str], Series] = {}

    def series(self, method: str, route: str, status: int | str) -> Series:
        """Return the series of a method, route and status."""
        labels = (method, route, str(status))
        found = self._series.get(labels)
        if found is None:
            found = self._series[labels] = Series()
        return found

    def collect(self) -> Iterator[Metric]:
        """Show them."""
        requests = CounterMetricFamily("argosy_requests", "Requests answered.", labels=["method", "route", "status"])
        seconds = HistogramMetricFamily("argosy_request_seconds", "Time to answer.", labels=["method", "route"])
        together: dict[tuple[str, str], Series] = {}
        for (method, route, status), series in self._series.items():
            requests.add_metric([method, route, status], sum(series.buckets))
            both = together.setdefault((method, route), Series())
            both.buckets = [one + other for one, other in zip(both.buckets, series.buckets, strict=True)]
            both.total += series.total
        for labels, series in together.items():
            seconds.add_metric([*labels], _cumulated(series.buckets), series.total)
        yield requests
        yield seconds


def _cumulated(buckets: list[int]) -> list[tuple[str, float]]:
    return [(bound, sum(buckets[: index + 1])) for index, bound in enumerate(BOUNDS)]


class Metrics:
    """What is counted; one registry an application, so that two in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Requests()
        self.registry.register(self.requests)
        ProcessCollector(registry=self.registry)


class MetricsMiddleware:
    """Counts and times requests."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path_format", "none")
            self._metrics.requests.series(scope["method"], route, status).observe(time.perf_counter() - started)
