"""Answering predictions: which version, its signature, its runtime, and the meter."""

import asyncio
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from pydantic import JsonValue

from argosy.caching.cache import ResponseCache, key_of
from argosy.events.models import Event
from argosy.kit import context
from argosy.kit.clock import today
from argosy.kit.db.session import WriteSession
from argosy.kit.errors import ArgosyError
from argosy.kit.ids import new_id
from argosy.kit.principal import Principal
from argosy.kit.rates import TooManyRequests
from argosy.predictions.recorder import Recorder
from argosy.registry.versions import VersionReader
from argosy.serving.answers import Answerer, Call, Consumption
from argosy.serving.batching import Settle, hand_out
from argosy.serving.grants import Spent, spending
from argosy.serving.placement import AnyLane, Compile, Placement
from argosy.serving.queue import Ticket
from argosy.serving.routes import Offered, Routes
from argosy.serving.runtime import Outputs, Runtime, Tensors
from argosy.serving.shadow import Mirror, Run
from argosy.serving.target import Target
from argosy.signature.compiled import CompiledSignature
from argosy.signature.errors import InvalidInput
from argosy.signature.predictions import Prediction
from argosy.signature.spec import Signature
from argosy.signature.tensors import Batch
from argosy.usage.service import Meter

SHADOW = "shadow"
# A body, JSON that is read already, or a batch.
Asked = bytes | Batch | JsonValue


class ServingService:
    """The data plane of one process; protocols decode and encode, this decides and runs."""

    def __init__(
        self,
        routes: Routes,
        placement: Callable[[Compile, Settle], Placement],
        meter: Meter,
        recorder: Recorder,
        cache: ResponseCache,
        mirror: Callable[[Run], Mirror],
    ) -> None:
        self._routes = routes
        self._meter = meter
        self._recorder = recorder
        self._cache = cache
        self._answerer = Answerer(meter)
        self._placement = placement(self.signature, self._settle)
        self.mirror = mirror(self._ask_shadow)
        self._signatures: dict[UUID, tuple[int, CompiledSignature]] = {}

    async def resolve(
        self,
        principal: Principal,
        org: str,
        name: str,
        version: int | None,
        alias: str | None,
        session_id: str | None = None,
    ) -> Target:
        """Return the version that answers; raises what `Routes.resolve` raises."""
        return await self._routes.resolve(principal, org, name, version, alias, session_id)

    async def granted(self, principal: Principal) -> Sequence[Offered]:
        """Return what answers a caller of the models that it may not see, and was granted."""
        return await self._routes.granted(principal)

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

    async def consumption(self, principal: Principal, target: Target, signature: CompiledSignature) -> Consumption:
        """Return how a caller's calls of a version are noted and recorded."""
        recording = await self._recorder.recording(principal, target.model_id, target.number, signature)
        return Consumption(principal, target, signature, recording, self.mirror if target.shadow else None)

    async def caches(self, target: Target) -> bool:
        """Tell whether answers of a model are cached."""
        return await self._cache.lifetime(target.model_id) is not None

    async def predict(
        self, principal: Principal, target: Target, asked: Asked, *, max_rows: int, within: int | None = None
    ) -> bytes:
        """Answer one typed call within so many milliseconds; raises `InvalidInput` and what `Lane.infer` raises."""
        return (await self.answer(principal, target, asked, max_rows=max_rows, within=within))[0]

    async def answer(
        self, principal: Principal, target: Target, asked: Asked, *, max_rows: int, within: int | None = None
    ) -> tuple[bytes, bool | None]:
        """Answer one typed call; tells too whether the answer was in the cache, None where there is none."""
        started = time.monotonic()
        signature = await self.signature(target)
        consumption = await self.consumption(principal, target, signature)
        batch = None
        try:
            batch = _read(signature, asked, max_rows)
            async with spending(target.grant, 1, batch.rows) as spent:
                lifetime = await self._cache.lifetime(target.model_id)
                if lifetime is None:
                    return await self._answer(consumption, batch, started, deadline(within), spent), None
                return await self._cached(consumption, batch, started, lifetime, deadline(within), spent)
        except (InvalidInput, ArgosyError) as error:
            if consumption.recording:
                consumption.recording.refused(error.status, started, batch, context.request_id())
            raise

    async def _cached(
        self,
        consumption: Consumption,
        batch: Batch,
        started: float,
        lifetime: int,
        ends: float | None,
        spent: Spent | None,
    ) -> tuple[bytes, bool]:
        key = key_of(consumption.target.version_id, consumption.target.revision, batch)
        kept = self._cache.get(key)
        if kept is None:
            answer = await self._answer(consumption, batch, started, ends, spent)
            self._cache.put(key, consumption.predictions(answer), lifetime)
            return answer, False
        prediction_id, request_id = str(new_id()), context.request_id() or ""
        answer = consumption.answer(prediction_id, kept, started, request_id)
        self._meter.record(consumption.entry(today(), batch.rows, time.monotonic() - started, spent))
        if consumption.recording:
            consumption.recording.served(prediction_id, request_id, started, batch, answer)
        return answer, True

    async def _answer(
        self, consumption: Consumption, batch: Batch, started: float, ends: float | None, spent: Spent | None
    ) -> bytes:
        lane = await self.lane(consumption.target)
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def deliver(_: Call, result: bytes | Exception) -> None:
            if answered.done():
                return  # the caller has gone
            if isinstance(result, Exception):
                answered.set_exception(result)
            else:
                answered.set_result(result)

        call = Call(
            tensors=batch.tensors,
            rows=batch.rows,
            caller=consumption.caller,
            consumption=consumption,
            prediction_id=str(new_id()),
            request_id=context.request_id() or "",
            started=started,
            deliver=deliver,
            spent=spent,
        )
        lane.submit(call, ends)
        try:
            return await answered
        except asyncio.CancelledError:
            lane.abandon(call)
            raise

    async def infer(self, principal: Principal, target: Target, batch: Batch, *, within: int | None = None) -> Outputs:
        """Return the outputs as the model gives them, `within` milliseconds, and meter the call.

        Raises what `Lane.infer` raises.
        """
        started, ends = time.monotonic(), deadline(within)
        consumption = await self.consumption(principal, target, await self.signature(target))
        try:
            async with spending(target.grant, 1, batch.rows) as spent:
                outputs = await (await self.lane(target)).infer(batch.tensors, batch.rows, principal.id.int, ends)
        except ArgosyError as error:
            if consumption.recording:
                consumption.recording.refused(error.status, started, batch, context.request_id())
            raise
        self._meter.record(consumption.entry(today(), batch.rows, time.monotonic() - started, spent))
        if consumption.recording:
            consumption.recording.answered(started, batch, outputs, context.request_id())
        consumption.mirrored(batch.tensors, batch.rows, outputs)
        return outputs

    async def predict_rows(self, principal: Principal, target: Target, batch: Batch) -> list[Prediction]:
        """Answer rows that came one by one, and meter each as a call; raises what `Lane.infer` raises."""
        started = time.monotonic()
        signature = await self.signature(target)
        consumption = await self.consumption(principal, target, signature)
        async with spending(target.grant, batch.rows, batch.rows, patiently=True) as spent:
            outputs = await (await self.lane(target)).infer(batch.tensors, batch.rows, principal.id.int)
        predictions = signature.encode(outputs, batch.rows)
        self._meter.record(consumption.entry(today(), 1, time.monotonic() - started, spent) * batch.rows)
        if consumption.recording:
            consumption.recording.answered(started, batch, outputs, context.request_id())
        consumption.mirrored(batch.tensors, batch.rows, outputs)
        return predictions

    def failed(self, principal: Principal, target: Target, error: Exception) -> None:
        """Meter a call that a version did not answer: under the product whose plan refused it, or that is used next."""
        status = error.status if isinstance(error, ArgosyError | InvalidInput) else ArgosyError.status
        product_id = error.product_id if isinstance(error, TooManyRequests) else None
        if product_id is None and target.grant is not None:
            product_id = target.grant.product_id
        self._meter.failed(principal, target.model_id, target.model, target.number, status, product_id)

    def turned_away(self, calls: Sequence[Call], error: ArgosyError) -> None:
        """Meter calls of versions that are nobody's product, to be told the same error, with one write."""
        day = today()
        self._meter.record_failures(b"".join([call.consumption.failure(day, error.status) for call in calls]))
        for call in calls:
            call.failure_is_metered = True

    async def lane(self, target: Target) -> AnyLane:
        """Return the queue of a version, loaded at first use; raises `ModelNotLoadable`."""
        return await self._placement.lane(target)

    async def open(self, target: Target) -> Runtime:
        """Load a version anew, for whoever will close it; raises `ModelNotLoadable`."""
        return await self._placement.open(target)

    def _settle(self, batch: Sequence[Ticket], result: Outputs | Exception) -> None:
        hand_out(batch, result)
        self._answerer.settle(batch, result)

    async def _ask_shadow(self, target: Target, tensors: Tensors, rows: int) -> Outputs:
        return await (await self.lane(target)).infer(tensors, rows, SHADOW)

    async def warm(self, session: WriteSession, event: Event) -> None:
        """Load what an alias points at now, or serves a model now, so that the first caller does not wait."""
        full_name = event.subject.partition("@")[0]
        version_id = event.payload.get("version_id")
        version = await VersionReader(session).versions.get(UUID(version_id)) if version_id else None
        if version is not None and version.onnx_digest is not None:
            await self.lane(Target.of(full_name, version))
        for target in await self._routes.deployed(session, full_name):
            await self.lane(target)

    async def close(self) -> None:
        """Let go of threads and connections."""
        await self._placement.close()


def _read(signature: CompiledSignature, asked: Asked, max_rows: int) -> Batch:
    if isinstance(asked, Batch):
        return asked
    if isinstance(asked, bytes):
        return signature.parse(asked, max_rows=max_rows)
    return signature.read(asked, max_rows=max_rows)


def deadline(milliseconds: int | None) -> float | None:
    """Return when a request that came now has to be answered, by the event loop's clock."""
    return None if milliseconds is None else asyncio.get_running_loop().time() + milliseconds / 1000
