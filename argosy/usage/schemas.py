"""Wire shapes of usage."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from argosy.kit.principal import PrincipalKind
from argosy.kit.schemas import Schema


class GroupBy(StrEnum):
    """What usage can be grouped by."""

    KEY = "key"
    MODEL = "model"
    VERSION = "version"
    DAY = "day"


class UsageRow(Schema):
    """Calls and rows of one group; a field that was not grouped by is null."""

    principal_kind: PrincipalKind | None = None
    principal_id: UUID | None = Field(None, description="The API key's id, or the user's.")
    model: str | None = Field(None, examples=["ada/iris"])
    version: int | None = None
    day: date | None = None
    calls: int
    rows: int


class Amount(Schema):
    """Calls and rows."""

    calls: int
    rows: int


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


class UsageRead(Schema):
    """Usage of an organization."""

    items: list[UsageRow]
    calls: int = Field(description="Calls over all items.")
    rows: int = Field(description="Rows over all items.")
