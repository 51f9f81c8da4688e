"""Payload logging: whether a model's predictions are recorded, and the predictions that were."""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from argosy.kit.db.base import Revised, TenantRow
from argosy.kit.db.tenancy import RowPolicy
from argosy.kit.db.types import enum_type
from argosy.kit.principal import PrincipalKind


class PayloadLogging(Revised, TenantRow):
    """What an owner wants recorded of a model's predictions; without a row, nothing is."""

    __tablename__ = "payload_logging"
    # Whoever may call a model may know whether calls are recorded.
    __row_policy__: ClassVar[RowPolicy] = RowPolicy(
        also_read="EXISTS (SELECT 1 FROM models WHERE models.id = model_id AND models.visibility = 'public')"
    )

    model_id: Mapped[UUID] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), unique=True)
    enabled: Mapped[bool]
    sample_rate: Mapped[float]
    redact: Mapped[list[str]]
    retention_days: Mapped[int]


class PredictionRecord(TenantRow):
    """A recorded prediction; it belongs to the model's organization, whoever called.

    Inputs and outputs are JSON as text: PostgreSQL's own refuses characters that a model may answer.
    """

    __tablename__ = "prediction_records"
    __table_args__ = (Index("ix_prediction_records_model_id_created_at", "model_id", "created_at", "id"),)

    model_id: Mapped[UUID] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    version: Mapped[int]
    principal_kind: Mapped[PrincipalKind] = mapped_column(enum_type(PrincipalKind, "principal_kind"))
    principal_id: Mapped[UUID]
    request_id: Mapped[str | None]
    status: Mapped[int]
    latency_ms: Mapped[float]
    rows: Mapped[int]
    inputs: Mapped[str | None]
    outputs: Mapped[str | None]
