"""Models, their immutable versions, and the aliases that point at them."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from argosy.kit.db.base import Revised, TenantRow
from argosy.kit.db.tenancy import RowPolicy
from argosy.kit.db.types import BigInt, enum_type
from argosy.organizations.models import Organization


class Visibility(StrEnum):
    """Who may see a model: its organization, or everyone with an account."""

    PRIVATE = "private"
    PUBLIC = "public"


class VersionStatus(StrEnum):
    """Where a version is on its way from upload to service."""

    PENDING = "pending"
    CONVERTING = "converting"
    READY = "ready"
    FAILED = "failed"


VERSION_TRANSITIONS: dict[VersionStatus, frozenset[VersionStatus]] = {
    VersionStatus.PENDING: frozenset({VersionStatus.CONVERTING, VersionStatus.FAILED}),
    VersionStatus.CONVERTING: frozenset({VersionStatus.CONVERTING, VersionStatus.READY, VersionStatus.FAILED}),
    VersionStatus.READY: frozenset(),
    VersionStatus.FAILED: frozenset(),
}


class SourceFormat(StrEnum):
    """What was uploaded."""

    ONNX = "onnx"
    SKOPS = "skops"


# What belongs to a model is seen by whoever sees the model, if it is public.
_OF_PUBLIC_MODEL = RowPolicy(
    also_read="EXISTS (SELECT 1 FROM models WHERE models.id = model_id AND models.visibility = 'public')"
)


class Model(Revised, TenantRow):
    """A named model of an organization; what it is lives in its versions."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)
    __row_policy__: ClassVar[RowPolicy] = RowPolicy(also_read="visibility = 'public' AND argosy_is_bound()")

    name: Mapped[str]
    description: Mapped[str | None]
    visibility: Mapped[Visibility] = mapped_column(enum_type(Visibility, "visibility"), default=Visibility.PRIVATE)
    task: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(default=list)
    last_version: Mapped[int] = mapped_column(default=0)
    organization: Mapped[Organization] = relationship(lazy="raise")

    @property
    def full_name(self) -> str:
        """`organization/name`."""
        return f"{self.organization.slug}/{self.name}"


class ModelVersion(Revised, TenantRow):
    """One version of a model. Artifacts, signature and report never change once it is ready."""

    __tablename__ = "model_versions"
    __table_args__ = (UniqueConstraint("model_id", "number"),)
    __row_policy__: ClassVar[RowPolicy] = _OF_PUBLIC_MODEL

    model_id: Mapped[UUID] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    number: Mapped[int]
    status: Mapped[VersionStatus] = mapped_column(enum_type(VersionStatus, "status"), default=VersionStatus.PENDING)
    source_format: Mapped[SourceFormat] = mapped_column(enum_type(SourceFormat, "source_format"))
    source_digest: Mapped[str] = mapped_column(index=True)
    source_size: Mapped[int] = mapped_column(BigInt)
    sample_digest: Mapped[str | None] = mapped_column(index=True)
    evidence_digest: Mapped[str | None] = mapped_column(index=True)
    onnx_digest: Mapped[str | None] = mapped_column(index=True)
    onnx_size: Mapped[int | None] = mapped_column(BigInt)
    tokenizer_digest: Mapped[str | None] = mapped_column(index=True)
    tokenizer_size: Mapped[int | None] = mapped_column(BigInt)
    signature: Mapped[dict[str, Any] | None]
    parity: Mapped[dict[str, Any] | None]
    facts: Mapped[dict[str, Any] | None] = mapped_column(doc="What it takes to run; null where nobody looked.")
    parameters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    provenance: Mapped[dict[str, Any]] = mapped_column(default=dict)
    training_date: Mapped[datetime | None]
    description: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(default=list)
    error: Mapped[dict[str, Any] | None]
    alias: Mapped[str | None] = mapped_column(doc="The alias it takes once it is ready.")
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"))
    created_by: Mapped[UUID]


class Alias(Revised, TenantRow):
    """A movable name for a version; `live` is the one that serves."""

    __tablename__ = "aliases"
    __table_args__ = (UniqueConstraint("model_id", "name"),)
    __row_policy__: ClassVar[RowPolicy] = _OF_PUBLIC_MODEL

    model_id: Mapped[UUID] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    name: Mapped[str]
    version_id: Mapped[UUID] = mapped_column(ForeignKey("model_versions.id", ondelete="CASCADE"), index=True)
    version: Mapped[ModelVersion] = relationship(lazy="raise")


class AliasChange(TenantRow):
    """One move of an alias; null is where it did not exist."""

    __tablename__ = "alias_changes"
    __row_policy__: ClassVar[RowPolicy] = _OF_PUBLIC_MODEL

    model_id: Mapped[UUID] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), index=True)
    alias: Mapped[str]
    from_version: Mapped[int | None]
    to_version: Mapped[int | None]
    changed_by: Mapped[UUID]
