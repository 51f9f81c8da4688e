"""Wire shapes of usage."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from pydantic import Field

from argosy.kit.pagination import CursorPage, Page
from argosy.kit.principal import PrincipalKind
from argosy.kit.schemas import Schema
from argosy.kit.sides import Side
from argosy.usage.latency import BOUNDS_MS, BUCKETS, percentile
from argosy.usage.models import UsageRecord


class GroupBy(StrEnum):
    """What usage can be grouped by."""

    KEY = "key"
    CUSTOMER = "customer"
    MODEL = "model"
    VERSION = "version"
    PRODUCT = "product"
    DAY = "day"


class UsageSort(StrEnum):
    """Sort orders of usage; without one, by what it is grouped by."""

    DAY = "day"
    LATEST_DAY = "-day"
    FEWEST_CALLS = "calls"
    MOST_CALLS = "-calls"
    FEWEST_ROWS = "rows"
    MOST_ROWS = "-rows"
    FEWEST_ERRORS = "errors"
    MOST_ERRORS = "-errors"
    LOWEST_ERROR_RATE = "error_rate"
    HIGHEST_ERROR_RATE = "-error_rate"
    FASTEST = "mean_ms"
    SLOWEST = "-mean_ms"


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Which usage is wanted: all of the organization's, or of its products, where nothing is said."""

    side: Side = Side.CUSTOMER
    since: date | None = None
    until: date | None = None
    model: str | None = None
    version: int | None = None
    key: UUID | None = None
    product: UUID | None = None
    customer: str | None = None


class Amount(Schema):
    """What was asked of models, and how it ended."""

    calls: int = Field(description="Calls that were answered.")
    rows: int = Field(description="Rows of these.")
    refused: int = Field(0, description="Calls that a version refused for what they sent (4xx).")
    errors: int = Field(0, description="Calls that a version failed, or had no room for (429, 5xx).")


class Percentile(Schema):
    """An estimate from a bucket: the percentile is more than `above_ms` and at most `up_to_ms`."""

    ms: float = Field(description="As if the calls lay evenly in the bucket; its lower bound in the last one.")
    above_ms: float
    up_to_ms: float | None = Field(description="Null in the last bucket, which has no upper bound.")


class Latency(Schema):
    """How long answered calls took, as buckets, and what is estimated from them."""

    timed: int = Field(description="Calls in the buckets; jobs are not timed.")
    mean_ms: float = Field(description="Estimated, each call as the middle of its bucket.")
    p50: Percentile
    p95: Percentile
    p99: Percentile
    buckets: list[int] = Field(
        description="Calls by bucket: up to " + ", ".join(map(str, BOUNDS_MS)) + " ms, and more than that."
    )

    @classmethod
    def of(cls, record: UsageRecord) -> Self | None:
        """Return the latency of a record, or of a sum of some; None where nothing was timed."""
        counts = [getattr(record, name) for name in BUCKETS]
        if not any(counts):
            return None
        estimates = {
            f"p{share}": Percentile(ms=found.ms, above_ms=found.above, up_to_ms=found.up_to)
            for share in (50, 95, 99)
            for found in [percentile(counts, share / 100)]
        }
        return cls(timed=record.timed, mean_ms=round(record.mean_ms, 3), buckets=counts, **estimates)


class Figures(Amount):
    """What was used, and how well that went."""

    error_rate: float = Field(0.0, description="Errors of all calls: answered, refused and failed.")
    latency: Latency | None = Field(None, description="Null where no call was timed.")

    @classmethod
    def of(cls, record: UsageRecord) -> Self:
        """Return the figures of a record, or of a sum of some; what it is not grouped by is None in it."""
        return cls.model_validate(record).model_copy(update={"latency": Latency.of(record)})


class UsageRow(Figures):
    """What one group used; a field that was not grouped by is null."""

    principal_kind: PrincipalKind | None = None
    principal_id: UUID | None = Field(None, description="The API key's id, or the user's.")
    customer: str | None = Field(None, description="Slug of the organization, for its vendor.", examples=["ada"])
    model: str | None = Field(None, examples=["ada/iris"])
    version: int | None = None
    product_id: UUID | None = Field(None, description="Null, too, for calls under no product.")
    day: date | None = None


class UsagePage(Figures, Page[UsageRow]):
    """Usage of an organization by page; the figures are those of all pages."""


class UsageCursorPage(Figures, CursorPage[UsageRow]):
    """Usage of an organization by cursor; the figures are those of all pages."""


class LiveRow(Amount):
    """What a model version was used since the event before."""

    model: str = Field(examples=["ada/iris"])
    version: int


class LiveUsage(Amount):
    """What an organization used since the event before."""

    at: datetime = Field(description="When the counters were read.")
    seconds: float = Field(description="Time since the event before; 0 in the first.")
    items: list[LiveRow] = Field(description="Model versions that were used.")
    missed: Amount | None = Field(None, description="Counted since `Last-Event-ID`; in the first event.")
