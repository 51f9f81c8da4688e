"""Where a version runs: loaded here, or on another server."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from argosy.engines.storage.base import ArtifactStore
from argosy.kit.logs import get_logger
from argosy.kit.outgoing import Outgoing
from argosy.serving.batching import BatchingLimits, Lane, Settle
from argosy.serving.cache import SingleFlightCache
from argosy.serving.errors import ModelNotLoadable
from argosy.serving.lanes import Budget, Lanes
from argosy.serving.loading import Loader
from argosy.serving.remote import RemoteLane
from argosy.serving.runtime import Runtime
from argosy.serving.target import BatchingPolicy, Target
from argosy.settings import ServingSettings
from argosy.signature.compiled import CompiledSignature

POOL_FACTOR = 4
AnyLane = Lane | RemoteLane
Compile = Callable[[Target], Awaitable[CompiledSignature]]
log = get_logger(__name__)


class Placement:
    """Keeps the queues of the versions that were used last."""

    def __init__(
        self,
        store: ArtifactStore,
        outgoing: Outgoing,
        loader: Loader,
        compiled: Compile,
        settle: Settle,
        settings: ServingSettings,
    ) -> None:
        self._store = store
        self._outgoing = outgoing
        self._loader = loader
        self._compiled = compiled
        self._settle = settle
        self._limits = BatchingLimits(
            settings.batch_rows,
            settings.queue_rows,
            settings.queue_bytes,
            workers=settings.threads,
            timeout=settings.timeout,
            queue_seconds=settings.queue_seconds,
        )
        # More threads than one model may take, so that slow ones do not hold up the others.
        self._threads = ThreadPoolExecutor(settings.threads * POOL_FACTOR, thread_name_prefix="argosy-model")
        self._closing: set[asyncio.Task[None]] = set()
        self._here = Lanes(Budget(settings.sessions, settings.memory_bytes), loader.weight, self._load)
        self._elsewhere = SingleFlightCache[Target, RemoteLane](settings.sessions, self._connect, self._drop)

    async def lane(self, target: Target) -> AnyLane:
        """Return the queue of a version, loaded at first use; raises `ModelNotLoadable`."""
        lane = await (self._here if target.backend is None else self._elsewhere).get(target)
        lane.limits = self._limits_of(target.policy)
        return lane

    async def open(self, target: Target) -> Runtime:
        """Load a version anew, for whoever will close it; raises `ModelNotLoadable`."""
        started = time.perf_counter()
        digest = target.onnx_digest
        try:
            path = await self._store.fetch(digest)
            signature = (await self._compiled(target)).signature
            runtime = await asyncio.to_thread(self._loader.load, path, target, signature)
        except Exception as error:
            log.exception("model_load_failed", digest=digest)
            raise ModelNotLoadable("the model's artifact cannot be loaded", retry_after=5) from error
        ms, isolated = round((time.perf_counter() - started) * 1000, 1), self._loader.is_isolated(target)
        log.info("model_loaded", digest=digest, ms=ms, batches=runtime.traits.batches, isolated=isolated)
        return runtime

    async def close(self) -> None:
        """Let go of models, threads and connections."""
        self._here.close()
        self._loader.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        for lane in self._elsewhere.values():
            await lane.close()

    def _limits_of(self, policy: BatchingPolicy) -> BatchingLimits:
        rows = self._limits.rows if policy.rows is None else policy.rows
        return replace(self._limits, rows=rows, wait=policy.wait or 0.0)

    async def _load(self, target: Target) -> Lane:
        return Lane(await self.open(target), self._threads, self._limits, self._settle)

    async def _connect(self, target: Target) -> RemoteLane:
        assert target.backend is not None  # noqa: S101 - what has none is loaded
        await self._outgoing.check(target.backend.url)
        signature = (await self._compiled(target)).signature
        return RemoteLane(target.backend, signature, self._outgoing, self._limits, self._settle)

    def _drop(self, lane: RemoteLane) -> None:
        task = asyncio.create_task(lane.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
