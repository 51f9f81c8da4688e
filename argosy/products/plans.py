"""What a product grants for its price."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from argosy.kit.schemas import RequestSchema, Text

Quota = Annotated[int, Field(ge=1, le=10**15)]
Feature = Annotated[Text, StringConstraints(min_length=1, max_length=200)]


class Period(StrEnum):
    """After which time the quota begins anew."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class Plan(RequestSchema):
    """A quota a period, of calls, of rows or of both; how fast it may be used; and how many may be sold."""

    period: Period = Field(examples=["month"])
    calls: Quota | None = Field(None, description="Calls a period.", examples=[10_000])
    rows: Quota | None = Field(None, description="Rows a period.")
    rate_per_second: int | None = Field(None, ge=1, le=1_000_000, description="Calls a second.", examples=[50])
    features: list[Feature] = Field(default_factory=list, max_length=50, description="What else it has, to be shown.")
    stock: int | None = Field(None, ge=1, le=2**31 - 1, description="How many may be sold in all; null: any number.")

    @model_validator(mode="after")
    def _has_a_quota(self) -> Self:
        if self.calls is None and self.rows is None:
            raise ValueError("a plan needs a quota: calls or rows")
        return self
