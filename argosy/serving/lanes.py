"""The queues of the versions in use: loaded here, or calls to where they run."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from argosy.engines.storage.base import ArtifactStore
from argosy.kit.logs import get_logger
from argosy.kit.outgoing import Outgoing
from argosy.serving.batching import BatchingLimits, Lane, Settle
from argosy.serving.cache import SingleFlightCache
from argosy.serving.errors import ModelNotLoadable
from argosy.serving.remote import RemoteLane
from argosy.serving.runtime import OnnxRuntime, load
from argosy.serving.sample import ROWS, sample_tensors
from argosy.serving.target import BatchingPolicy, Target
from argosy.settings import ServingSettings
from argosy.signature.compiled import CompiledSignature
from argosy.signature.spec import Signature

POOL_FACTOR = 4
AnyLane = Lane | RemoteLane
Compile = Callable[[Target], Awaitable[CompiledSignature]]
log = get_logger(__name__)


class Lanes:
    """Keeps the queues that were used last."""

    def __init__(
        self, store: ArtifactStore, outgoing: Outgoing, compiled: Compile, settle: Settle, settings: ServingSettings
    ) -> None:
        self._store = store
        self._outgoing = outgoing
        self._compiled = compiled
        self._settle = settle
        self._limits = BatchingLimits(
            settings.batch_rows,
            settings.queue_rows,
            settings.queue_bytes,
            workers=settings.threads,
            timeout=settings.timeout,
        )
        # More threads than one model may take, so that slow ones do not hold up the others.
        self._threads = ThreadPoolExecutor(settings.threads * POOL_FACTOR, thread_name_prefix="argosy-model")
        self._closing: set[asyncio.Task[None]] = set()
        self._lanes = SingleFlightCache[Target, AnyLane](settings.sessions, self._load, self._drop)

    async def get(self, target: Target) -> AnyLane:
        """Return the queue of a version, loaded at first use; raises `ModelNotLoadable`."""
        lane = await self._lanes.get(target)
        lane.limits = self._limits_of(target.policy)
        return lane

    async def close(self) -> None:
        """Let go of threads and connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for lane in self._lanes.values():
            await lane.close()

    def _drop(self, lane: AnyLane) -> None:
        task = asyncio.create_task(lane.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _limits_of(self, policy: BatchingPolicy) -> BatchingLimits:
        rows = self._limits.rows if policy.rows is None else policy.rows
        return replace(self._limits, rows=rows, wait=policy.wait or 0.0)

    async def _load(self, target: Target) -> AnyLane:
        if target.backend is not None:
            await self._outgoing.check(target.backend.url)
            signature = (await self._compiled(target)).signature
            return RemoteLane(target.backend, signature, self._outgoing, self._limits, self._settle)
        started = time.perf_counter()
        digest = target.onnx_digest
        try:
            path = await self._store.fetch(digest)
            signature = (await self._compiled(target)).signature
            runtime = await asyncio.to_thread(_studied, path, digest, signature)
        except Exception as error:
            log.exception("model_load_failed", digest=digest)
            raise ModelNotLoadable("the model's artifact cannot be loaded", retry_after=5) from error
        ms = round((time.perf_counter() - started) * 1000, 1)
        log.info("model_loaded", digest=digest, ms=ms, batches=runtime.traits.batches)
        return Lane(runtime, self._threads, self._limits, self._settle)


def _studied(path: Path, digest: str, signature: Signature) -> OnnxRuntime:
    runtime = load(path, digest)
    runtime.study(sample_tensors(signature), ROWS)
    return runtime
