"""What the API says of usage, and the calls that ask for it."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from uuid import UUID

from argosy.client.flows import Flow
from argosy.client.requests import Call, Json, given, parsed, saved, text
from argosy.client.results import Result


class Percentile(Result):
    """An estimate: more than `above_ms`, and at most `up_to_ms` where there is a bound."""

    ms: float
    above_ms: float
    up_to_ms: float | None = None


class Latency(Result):
    """How long answered calls took, as counts in buckets and what is estimated from them."""

    timed: int
    mean_ms: float
    p50: Percentile
    p95: Percentile
    p99: Percentile
    buckets: list[int]


class Figures(Result):
    """Calls that were answered and their rows, calls that were refused or failed, and how long the former took."""

    calls: int
    rows: int
    refused: int = 0
    errors: int = 0
    error_rate: float = 0.0
    latency: Latency | None = None


class UsageRow(Figures):
    """What one group used; `customer` is there for a vendor, `principal_id` for a customer."""

    principal_id: UUID | None = None
    customer: str | None = None
    model: str | None = None
    version: int | None = None
    product_id: UUID | None = None
    day: date | None = None


class Usage(Figures):
    """Usage of an organization; the figures are those of all items, those of later pages too."""

    items: list[UsageRow]
    next_cursor: str | None = None


def asked(
    group_by: tuple[str, ...],
    *,
    since: date | None = None,
    until: date | None = None,
    model: str | None = None,
    version: int | None = None,
    key: object = None,
    product: object = None,
    as_vendor: bool = False,
    customer: str | None = None,
    sort: str | None = None,
) -> Json:
    """Return what is asked of usage, as the API reads it."""
    side = {"as": "vendor"} if as_vendor else {}
    days = {"since": text(since), "until": text(until)}
    ids = {"key": text(key), "product": text(product)}
    only = {"model": model, "version": version, "customer": customer, "sort": sort}
    return given(group_by=list(group_by) or None, **side, **days, **ids, **only)


def get_usage(params: Json, cursor: str) -> Call[Usage]:
    """Show a page of usage."""
    return Call("GET", "/usage", parsed(Usage), params={**params, "cursor": cursor, "size": 200})


def export_usage(params: Json, target: Path) -> Call[Path]:
    """Save usage as CSV."""
    return saved("/usage", {**params, "format": "csv"}, target)


def collected(send: Callable[[Call[Usage]], Flow[Usage]], params: Json) -> Flow[Usage]:
    """Return usage with the items of all pages."""
    found = yield from send(get_usage(params, ""))
    while found.next_cursor is not None:
        page = yield from send(get_usage(params, found.next_cursor))
        found = page.model_copy(update={"items": found.items + page.items})
    return found
