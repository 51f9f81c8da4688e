"""Which version answers."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from argosy.conversion.facts import Facts
from argosy.registry.models import ModelVersion
from argosy.serving.grants import Grant


@dataclass(frozen=True, slots=True)
class Backend:
    """Another server that runs a model; times in seconds."""

    url: str
    model: str
    version: str | None
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    binary: bool
    timeout: float
    retries: int
    connections: int


@dataclass(frozen=True, slots=True)
class BatchingPolicy:
    """How requests of a version run together, where its owner said so; seconds that a request waits for others."""

    rows: int | None = None
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """The version that answers a call; one revision of it, where it runs, is one target.

    `grant` is what lets its caller use it, None for one who may see the model anyhow.
    """

    model_id: UUID = field(compare=False)
    organization_id: UUID = field(compare=False)
    model: str = field(compare=False)
    version_id: UUID
    number: int = field(compare=False)
    revision: int
    onnx_digest: str
    signature: dict[str, Any] = field(compare=False)
    tokenizer_digest: str | None = field(default=None, compare=False)
    backend: Backend | None = None
    policy: BatchingPolicy = field(default=BatchingPolicy(), compare=False)
    shadow: "Shadow | None" = field(default=None, compare=False)
    onnx_size: int = field(default=0, compare=False)
    facts: Facts | None = field(default=None, compare=False)
    grant: Grant | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        full_name: str,
        version: ModelVersion,
        *,
        backend: Backend | None = None,
        policy: BatchingPolicy | None = None,
        shadow: "Shadow | None" = None,
    ) -> "Target":
        """Return the target for a ready version."""
        assert version.onnx_digest is not None  # noqa: S101 - a ready version has both
        assert version.signature is not None  # noqa: S101
        return cls(
            model_id=version.model_id,
            organization_id=version.organization_id,
            model=full_name,
            version_id=version.id,
            number=version.number,
            revision=version.revision,
            onnx_digest=version.onnx_digest,
            signature=version.signature,
            tokenizer_digest=version.tokenizer_digest,
            backend=backend,
            policy=policy or BatchingPolicy(),
            shadow=shadow,
            onnx_size=version.onnx_size or 0,
            facts=Facts.model_validate(version.facts) if version.facts else None,
        )


@dataclass(frozen=True, slots=True)
class Shadow:
    """A version that is asked too, for a part of the calls."""

    target: Target
    sample_rate: float
