"""Which version answers."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from argosy.registry.models import ModelVersion


@dataclass(frozen=True, slots=True)
class Target:
    """The version that answers a call; one revision of it is one target."""

    model_id: UUID = field(compare=False)
    model: str = field(compare=False)
    version_id: UUID
    number: int = field(compare=False)
    revision: int
    onnx_digest: str
    signature: dict[str, Any] = field(compare=False)
    tokenizer_digest: str | None = field(default=None, compare=False)

    @classmethod
    def of(cls, full_name: str, version: ModelVersion) -> "Target":
        """Return the target for a ready version."""
        assert version.onnx_digest is not None  # noqa: S101 - a ready version has both
        assert version.signature is not None  # noqa: S101
        return cls(
            model_id=version.model_id,
            model=full_name,
            version_id=version.id,
            number=version.number,
            revision=version.revision,
            onnx_digest=version.onnx_digest,
            signature=version.signature,
            tokenizer_digest=version.tokenizer_digest,
        )
