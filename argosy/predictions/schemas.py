"""Wire shapes of payload logging."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints
from pydantic_core import from_json

from argosy.kit.principal import PrincipalKind
from argosy.kit.schemas import RequestSchema, Schema, Text
from argosy.predictions.models import PayloadLogging, PredictionRecord

FieldName = Annotated[Text, StringConstraints(min_length=1, max_length=256)]


class PayloadLoggingSet(RequestSchema):
    """What should be recorded of a model's predictions."""

    model_config = ConfigDict(str_strip_whitespace=False)

    enabled: bool
    sample_rate: float = Field(1.0, gt=0, le=1, description="The share of calls that is recorded.")
    redact: list[FieldName] = Field([], max_length=1000, description="Inputs whose values are never stored.")
    retention_days: int = Field(30, ge=1, le=3650, description="Days after which records are deleted.")


class PayloadLoggingRead(Schema):
    """What is recorded of a model's predictions."""

    enabled: bool = False
    sample_rate: float = 1.0
    redact: list[str] = Field(default_factory=list)
    retention_days: int = 30
    updated_at: datetime | None = None
    revision: int = Field(0, description="0 where nothing was ever recorded.")

    @classmethod
    def of(cls, row: PayloadLogging | None) -> Self:
        """Return the wire shape of a row, or of none."""
        return cls() if row is None else cls.model_validate(row)


class PredictionFilter(Schema):
    """Which records are wanted."""

    version: int | None = None
    status: int | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class PredictionRead(Schema):
    """A recorded prediction."""

    id: UUID
    model: str
    version: int
    created_at: datetime
    principal_kind: PrincipalKind
    principal_id: UUID = Field(description="The API key's id, the user's or the client's.")
    request_id: str | None
    status: int = Field(description="The HTTP status of the answer.")
    latency_ms: float
    rows: int
    inputs: list[Any] | None = Field(description="By row; null for what could not be read or was too large to keep.")
    outputs: list[Any] | None = Field(description="By row; null where there were none or they were too large to keep.")

    @classmethod
    def of(cls, model: str, record: PredictionRecord) -> Self:
        """Return the wire shape of a row."""
        return cls(
            model=model,
            inputs=from_json(record.inputs) if record.inputs is not None else None,
            outputs=from_json(record.outputs) if record.outputs is not None else None,
            **{name: getattr(record, name) for name in cls.model_fields if name not in {"model", "inputs", "outputs"}},
        )
