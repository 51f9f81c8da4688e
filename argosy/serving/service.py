"""Answering predictions: which version, its signature, its runtime, and the meter."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from argosy.engines.storage.base import ArtifactStore
from argosy.events.models import Event
from argosy.kit.db.session import Database, WriteSession
from argosy.kit.db.tenancy import Actor
from argosy.kit.errors import invalid
from argosy.kit.ids import new_id
from argosy.kit.logs import get_logger
from argosy.kit.principal import Principal
from argosy.registry.aliases import LIVE, AliasReader
from argosy.registry.errors import AliasNotFound
from argosy.registry.models import ModelVersion
from argosy.registry.service import ModelReader
from argosy.registry.versions import VersionReader
from argosy.serving.batching import Batcher
from argosy.serving.cache import SingleFlightCache
from argosy.serving.errors import ModelNotLoadable, NoLiveVersion
from argosy.serving.runtime import OnnxRuntime, load
from argosy.settings import ServingSettings
from argosy.signature.compiled import CompiledSignature
from argosy.signature.spec import Signature
from argosy.usage.service import Meter

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """The version that answers a call."""

    model_id: UUID
    model: str
    version_id: UUID
    number: int
    revision: int
    onnx_digest: str
    signature: dict[str, Any]

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
        )


class ServingService:
    """The data plane of one process; protocols decode and encode, this decides and runs."""

    def __init__(self, database: Database, store: ArtifactStore, meter: Meter, settings: ServingSettings) -> None:
        self._database = database
        self._store = store
        self._meter = meter
        self._batcher = Batcher(settings.threads, settings.timeout)
        self._runtimes = SingleFlightCache[str, OnnxRuntime](settings.sessions, self._load)
        self._signatures: dict[UUID, tuple[int, CompiledSignature]] = {}

    async def resolve(
        self, principal: Principal, org: str, name: str, version: int | None, alias: str | None
    ) -> Target:
        """Return the version that answers: by number, by alias, or the live one.

        Raises `ModelNotFound`, `VersionNotFound`, `VersionNotReady`, `AliasNotFound` or `NoLiveVersion`.
        """
        if version is not None and alias is not None:
            raise invalid(["query", "alias"], "give a version or an alias, not both")
        async with self._database.read(Actor.of(principal)) as session:
            model = await ModelReader(session).get(principal, org, name)
            if version is not None:
                return Target.of(model.full_name, await VersionReader(session).get_ready(model, version))
            try:
                found = await AliasReader(session).get(model, alias or LIVE)
            except AliasNotFound as error:
                if alias is not None:
                    raise
                raise NoLiveVersion(f"{model.full_name} has no version with the alias {LIVE!r}") from error
            return Target.of(model.full_name, found.version)

    async def signature(self, target: Target) -> CompiledSignature:
        """Return the compiled signature of a version, built once per revision of it."""
        kept = self._signatures.get(target.version_id)
        if kept is None or kept[0] != target.revision:
            signature = Signature.model_validate(target.signature)
            compiled = await asyncio.to_thread(CompiledSignature, signature)
            if len(self._signatures) > 1000:  # noqa: PLR2004 - a bound, not a tuning knob
                self._signatures.clear()
            kept = self._signatures[target.version_id] = (target.revision, compiled)
        return kept[1]

    async def predict(self, principal: Principal, target: Target, body: bytes, *, max_rows: int) -> dict[str, Any]:
        """Answer one typed call; raises `InvalidInput` and what `Batcher.infer` raises."""
        started = time.perf_counter()
        signature = await self.signature(target)
        batch = signature.parse(body, max_rows=max_rows)
        runtime = await self._runtimes.get(target.onnx_digest)
        outputs = await self._batcher.infer(runtime, batch.tensors)
        predictions = signature.encode(outputs, batch.rows)
        self._meter.record(principal, target.model_id, target.model, target.number, batch.rows)
        return {
            "id": str(new_id()),
            "model": target.model,
            "version": target.number,
            "predictions": predictions,
            "latency_ms": round((time.perf_counter() - started) * 1000, 3),
        }

    async def _load(self, digest: str) -> OnnxRuntime:
        started = time.perf_counter()
        try:
            path = await self._store.fetch(digest)
            runtime = await asyncio.to_thread(load, path, digest)
        except Exception as error:
            log.exception("model_load_failed", digest=digest)
            raise ModelNotLoadable("the model's artifact cannot be loaded", retry_after=5) from error
        log.info("model_loaded", digest=digest, ms=round((time.perf_counter() - started) * 1000, 1))
        return runtime

    async def warm(self, session: WriteSession, event: Event) -> None:
        """Load the version that an alias now points at, so that its first caller does not wait."""
        version_id = event.payload.get("version_id")
        version = await VersionReader(session).versions.get(UUID(version_id)) if version_id else None
        if version is not None and version.onnx_digest is not None:
            await self._runtimes.get(version.onnx_digest)

    def close(self) -> None:
        """Let go of the threads."""
        self._batcher.close()
