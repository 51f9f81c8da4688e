"""Wire shapes of models, versions and aliases."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, JsonValue, StringConstraints

from argosy.conversion.errors import Failure
from argosy.conversion.report import ParityReport
from argosy.embeddings.plan import EmbeddingOptions
from argosy.kit.schemas import Description, Read, RequestSchema, Schema, Slug, Tags, Text
from argosy.registry.models import Alias, AliasChange, Model, ModelVersion, SourceFormat, VersionStatus, Visibility
from argosy.signature.spec import Image, Signature

ModelName = Slug
AliasName = Slug
TaskName = Annotated[Text, StringConstraints(min_length=1, max_length=100)]
Key = Annotated[Text, StringConstraints(min_length=1, max_length=250)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ModelCreate(RequestSchema):
    """A new model."""

    name: ModelName
    description: Description | None = None
    visibility: Visibility = Visibility.PRIVATE
    tags: Tags = Field(default_factory=list)
    task: TaskName | None = None


class ModelUpdate(RequestSchema):
    """What may change of a model; a field that is left out stays."""

    description: Description | None = None
    visibility: Visibility | None = None
    tags: Tags | None = None
    task: TaskName | None = None


class ModelRead(Read):
    """A model."""

    name: str
    full_name: str = Field(examples=["ada/iris"])
    organization: str
    description: str | None
    visibility: Visibility
    task: str | None
    tags: list[str]
    last_version: int = Field(description="The newest version's number; 0 before the first.")
    aliases: dict[str, int] = Field(description="Version numbers by alias.")
    revision: int

    @classmethod
    def of(cls, model: Model, aliases: dict[str, int]) -> Self:
        """Return the wire shape of a row."""
        return cls(
            id=model.id,
            created_at=model.created_at,
            updated_at=model.updated_at,
            name=model.name,
            full_name=model.full_name,
            organization=model.organization.slug,
            description=model.description,
            visibility=model.visibility,
            task=model.task,
            tags=model.tags,
            last_version=model.last_version,
            aliases=aliases,
            revision=model.revision,
        )


class VersionMetadata(RequestSchema):
    """The `metadata` part of an upload."""

    parameters: dict[Key, JsonValue] = Field({}, max_length=1000, examples=[{"C": 1.0}])
    metrics: dict[Key, float] = Field({}, max_length=1000, examples=[{"accuracy": 0.97, "f1_score": 0.96}])
    training_date: AwareDatetime | None = None
    signature: Signature | None = None
    embedding: EmbeddingOptions | None = Field(None, description="How its answers become embeddings of texts.")
    description: Description | None = None
    tags: Tags = Field(default_factory=list)
    provenance: dict[Key, Text] = Field({}, max_length=50, description="Frameworks and their versions.")
    alias: AliasName | None = Field(None, description="An alias to point at the version once it is ready.")
    sha256: Digest | None = Field(None, description="SHA-256 of the artifact, to be checked on arrival.")


class FeatureUpdate(RequestSchema):
    """What an owner says of a feature: documentation, and constraints that are then enforced."""

    description: Description | None = None
    minimum: float | None = None
    maximum: float | None = None
    open: bool | None = Field(None, description="Accept values outside `enum`.")
    image: Image | None = Field(None, description="How an image becomes the feature's value.")


class VersionUpdate(RequestSchema):
    """What may change of a version: what is said about it, never what it is."""

    description: Description | None = None
    tags: Tags | None = None
    metrics: dict[Key, float] | None = Field(None, max_length=1000)
    features: dict[Key, FeatureUpdate] | None = Field(None, max_length=20_000)


class Artifact(Schema):
    """A stored file."""

    sha256: str
    size: int


class VersionRead(Read):
    """A version of a model."""

    model: str = Field(examples=["ada/iris"])
    version: int
    status: VersionStatus
    source_format: SourceFormat
    source: Artifact
    onnx: Artifact | None
    tokenizer: Artifact | None
    signature: Signature | None
    parity: ParityReport | None
    parameters: dict[str, Any]
    metrics: dict[str, float]
    provenance: dict[str, str]
    training_date: datetime | None
    description: str | None
    tags: list[str]
    error: Failure | None
    job_id: UUID | None
    created_by: UUID
    revision: int

    @classmethod
    def of(cls, model: Model, row: ModelVersion) -> Self:
        """Return the wire shape of a row."""
        return cls.model_validate(
            {
                **{column.key: getattr(row, column.key) for column in ModelVersion.__mapper__.column_attrs},
                "model": model.full_name,
                "version": row.number,
                "source": Artifact(sha256=row.source_digest, size=row.source_size),
                "onnx": _artifact(row.onnx_digest, row.onnx_size),
                "tokenizer": _artifact(row.tokenizer_digest, row.tokenizer_size),
            }
        )


def _artifact(digest: str | None, size: int | None) -> Artifact | None:
    return Artifact(sha256=digest, size=size or 0) if digest else None


class SignatureRead(Schema):
    """A version's signature, and the JSON Schema made from it."""

    model: str
    version: int
    signature: Signature
    json_schema: dict[str, JsonValue] = Field(description="JSON Schema 2020-12 of a row and of a prediction.")


class AliasSet(RequestSchema):
    """Where an alias should point."""

    version: int = Field(ge=1)


class AliasRead(Read):
    """An alias."""

    name: str
    version: int
    revision: int

    @classmethod
    def of(cls, alias: Alias) -> Self:
        """Return the wire shape of a row."""
        return cls(
            id=alias.id,
            created_at=alias.created_at,
            updated_at=alias.updated_at,
            name=alias.name,
            version=alias.version.number,
            revision=alias.revision,
        )


class AliasChangeRead(Schema):
    """One move of an alias."""

    id: UUID
    alias: str
    from_version: int | None
    to_version: int | None
    changed_by: UUID
    created_at: datetime

    @classmethod
    def of(cls, change: AliasChange) -> Self:
        """Return the wire shape of a row."""
        return cls.model_validate(change)


class Comparison(Schema):
    """What differs between two versions: for each name, the value in `a` and in `b`."""

    a: int
    b: int
    parameters: dict[str, tuple[JsonValue, JsonValue]]
    metrics: dict[str, tuple[float | None, float | None]]
    inputs: dict[str, tuple[JsonValue, JsonValue]] = Field(description="Features that differ, by name.")
