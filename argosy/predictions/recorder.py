"""Recording predictions beside the answers: as good as it goes, and never in their way.

A call is recorded by putting what it has anyhow into a buffer; a task makes rows of it and writes them in batches. When
the buffer is full, or a batch cannot be written, records are dropped and counted: payload logging is best effort.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter

from argosy.events.freshness import Freshness
from argosy.kit.clock import now
from argosy.kit.db.session import Database
from argosy.kit.ids import new_id
from argosy.kit.logs import get_logger
from argosy.kit.principal import Principal
from argosy.predictions.payloads import Tensors, inputs_json, outputs_json
from argosy.predictions.repository import PayloadLoggingRepository, PredictionRepository
from argosy.signature.compiled import CompiledSignature
from argosy.signature.tensors import Batch

FLUSH_SECONDS = 0.5
FLUSH_ENTRIES = 200
MOST_ENTRIES = 10_000
MOST_BYTES = 32 * 2**20
LARGEST_BYTES = 256 * 1024
MOST_POLICIES = 10_000
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Policy:
    """What is recorded of one model."""

    organization_id: UUID
    sample_rate: float
    redact: frozenset[str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One call in the buffer; `batch` and `answer` are left out where there are none, or they are too large."""

    recording: "Recording"
    prediction_id: UUID
    request_id: str | None
    status: int
    latency_ms: float
    rows: int
    batch: Batch | None = field(repr=False, default=None)
    answer: bytes | Tensors | None = field(repr=False, default=None)
    at: datetime = field(default_factory=now)

    def row(self) -> dict[str, Any]:
        """Return what is stored."""
        recording, batch, answer = self.recording, self.batch, self.answer
        signature, redact = recording.signature, recording.policy.redact
        return {
            "id": self.prediction_id,
            "organization_id": recording.policy.organization_id,
            "model_id": recording.model_id,
            "version": recording.version,
            "principal_kind": recording.principal.kind,
            "principal_id": recording.principal.id,
            "request_id": self.request_id,
            "status": self.status,
            "latency_ms": self.latency_ms,
            "rows": self.rows,
            "inputs": inputs_json(signature, batch.tensors, batch.rows, redact) if batch else None,
            "outputs": outputs_json(signature, answer, self.rows) if answer is not None else None,
            "created_at": self.at,
            "updated_at": self.at,
        }


@dataclass(frozen=True, slots=True)
class Recording:
    """How one caller's calls of one version are recorded."""

    recorder: "Recorder" = field(repr=False)
    policy: Policy
    principal: Principal
    model_id: UUID
    version: int
    signature: CompiledSignature = field(repr=False)

    def served(
        self, prediction_id: str, request_id: str, started: float, batch: Batch, answer: bytes | Tensors
    ) -> None:
        """Record a call that was answered: with the body of typed predictions, or with outputs as they are."""
        if self._sampled():
            self._note(200, started, batch, answer, UUID(prediction_id), request_id)

    def answered(self, started: float, batch: Batch, outputs: Tensors, request_id: str | None) -> None:
        """Record outputs that were given as they are."""
        if self._sampled():
            self._note(200, started, batch, outputs, new_id(), request_id)

    def refused(self, status: int, started: float, batch: Batch | None, request_id: str | None) -> None:
        """Record a call that was answered with an error."""
        if self._sampled():
            self._note(status, started, batch, None, new_id(), request_id)

    def _sampled(self) -> bool:
        return random.random() < self.policy.sample_rate  # noqa: S311 - a sample, no secret

    def _note(
        self,
        status: int,
        started: float,
        batch: Batch | None,
        answer: bytes | Tensors | None,
        prediction_id: UUID,
        request_id: str | None,
    ) -> None:
        rows, size = batch.rows if batch else 0, _size(batch, answer)
        if size > LARGEST_BYTES:
            batch, answer, size = None, None, 0
        ms = round((time.monotonic() - started) * 1000, 3)
        entry = Entry(self, prediction_id, request_id, status, ms, rows, batch, answer)
        self.recorder.note(entry, size)


class Recorder:
    """Knows what is to be recorded, and writes it."""

    def __init__(self, database: Database, freshness: Freshness, registry: CollectorRegistry) -> None:
        self._database = database
        self._freshness = freshness
        self._policies: dict[UUID, tuple[int, Policy | None]] = {}
        self._buffer: deque[tuple[Entry, int]] = deque()
        self._bytes = 0
        self._enough = asyncio.Event()
        self._writing = asyncio.Lock()
        self._dropped = Counter(
            "argosy_predictions_unrecorded", "Predictions that should have been recorded.", registry=registry
        )

    async def recording(
        self, principal: Principal, model_id: UUID, version: int, signature: CompiledSignature
    ) -> Recording | None:
        """Return how calls are recorded; None where they are not. It asks the database only after a change."""
        stamp = self._freshness.stamp
        kept = self._policies.get(model_id)
        if kept is None or kept[0] != stamp:
            if len(self._policies) >= MOST_POLICIES:
                self._policies.clear()
            kept = self._policies[model_id] = (stamp, await self._policy(model_id))
        policy = kept[1]
        return Recording(self, policy, principal, model_id, version, signature) if policy else None

    async def _policy(self, model_id: UUID) -> Policy | None:
        async with self._database.read() as session:
            found = await PayloadLoggingRepository(session).of(model_id)
        if found is None or not found.enabled:
            return None
        return Policy(found.organization_id, found.sample_rate, frozenset(found.redact))

    def note(self, entry: Entry, size: int) -> None:
        """Put a record into the buffer, if there is room."""
        if len(self._buffer) >= MOST_ENTRIES or self._bytes + size > MOST_BYTES:
            self._dropped.inc()
            return
        self._buffer.append((entry, size))
        self._bytes += size
        if len(self._buffer) >= FLUSH_ENTRIES:
            self._enough.set()

    async def run(self) -> None:
        """Write until cancelled, and then what is left."""
        try:
            while True:
                self._enough.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(FLUSH_SECONDS):
                        await self._enough.wait()
                await self.flush()
        finally:
            await asyncio.shield(self.flush())

    async def flush(self) -> None:
        """Write what is in the buffer, in batches; when this returns, it is written or dropped."""
        async with self._writing:
            while self._buffer:
                taken = [self._buffer.popleft() for _ in range(min(FLUSH_ENTRIES, len(self._buffer)))]
                self._bytes -= sum(size for _, size in taken)
                await self._write([entry for entry, _ in taken])

    async def _write(self, entries: Sequence[Entry]) -> None:
        try:
            rows = await asyncio.to_thread(lambda: [entry.row() for entry in entries])
            async with self._database.write() as session:
                await PredictionRepository(session).add_all(rows)
        except Exception as error:  # noqa: BLE001 - its text may hold what was to be stored
            self._dropped.inc(len(entries))
            log.warning("predictions_unrecorded", count=len(entries), error=type(error).__name__)


def _size(batch: Batch | None, answer: bytes | Tensors | None) -> int:
    given = sum(_bytes(values) for values in batch.tensors.values()) if batch else 0
    if answer is None or isinstance(answer, bytes):
        return given + len(answer or b"")
    return given + sum(_bytes(values) for values in answer.values())


def _bytes(values: Any) -> int:  # noqa: ANN401 - an array, or what ONNX has instead
    return sum(len(str(value)) for value in values.flat) if values.dtype == object else int(values.nbytes)
