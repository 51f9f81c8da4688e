"""Predictions of any number of rows in one request: a row a line in, an answer a line out (https://ndjson.org).

Rows are read, run and answered in groups, so that memory does not grow with their number. Nothing is read while the
client does not take its answers: it has to read while it sends.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic_core import to_json
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Send
from starlette.types import Scope as ConnectionScope

from argosy.events.effects import model_signal
from argosy.events.freshness import Freshness
from argosy.kit.errors import ArgosyError, ContentTooLarge
from argosy.kit.logs import get_logger
from argosy.kit.principal import Principal, Scope
from argosy.kit.schemas import Slug
from argosy.kit.web.entrance import require_scope
from argosy.kit.web.openapi import GUARDED
from argosy.kit.web.security import identified, requires
from argosy.serving.errors import ModelRejectedInput, Overloaded, QuotaExceeded
from argosy.serving.protocols.refusals import counted
from argosy.serving.protocols.typed import PREDICT_PROBLEMS
from argosy.serving.service import ServingService
from argosy.serving.target import Target
from argosy.signature.compiled import CompiledSignature
from argosy.signature.errors import InvalidInput
from argosy.signature.predictions import Prediction
from argosy.signature.refusal import refuse
from argosy.signature.tensors import Batch

GROUP = 256
PATIENCE = 0.1
MEDIA_TYPE = "application/x-ndjson"
ENDS = {b"{": b"}", b"[": b"]"}
Consumer = Annotated[Principal, requires(Scope.PREDICT)]
log = get_logger(__name__)

router = APIRouter(prefix="/models/{org}/{name}", tags=["predict"], responses=GUARDED)
_LINES: dict[str, Any] = {MEDIA_TYPE: {"schema": {"type": "string"}}}


@router.post(
    "/predict/stream",
    response_class=StreamingResponse,
    responses=PREDICT_PROBLEMS | {200: {"description": "A line for each row, and one at the end", "content": _LINES}},
    openapi_extra={"requestBody": {"required": True, "content": _LINES}},
)
async def predict_stream(
    org: Slug,
    name: Slug,
    principal: Consumer,
    request: Request,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Ask this version.")] = None,
    alias: Annotated[Slug | None, Query(description="Ask the version an alias points at; `live` if left out.")] = None,
) -> StreamingResponse:
    """Predict any number of rows: each line an object, or a list in the signature's order.

    Answers `{"row", "prediction"}` or `{"row", "errors"}` a line, in order, and at the end `{"rows", "failed", "model",
    "version"}`, with `error` when it ended early.
    """
    serving: ServingService = request.app.state.serving
    target = await serving.resolve(principal, org, name, version, alias)
    stream = PredictionStream(request, serving, principal, target, await serving.signature(target), alias)
    return Duplex(stream.answers(), media_type=MEDIA_TYPE)


class Duplex(StreamingResponse):
    """Answers while the request is read; the framework's own would read it too, to see whether the client goes."""

    async def __call__(self, _scope: ConnectionScope, _receive: Receive, send: Send) -> None:
        """Send."""
        await self.stream_response(send)


class PredictionStream:
    """One stream of predictions."""

    def __init__(
        self,
        request: Request,
        serving: ServingService,
        principal: Principal,
        target: Target,
        signature: CompiledSignature,
        alias: str | None,
    ) -> None:
        self._request = request
        self._serving = serving
        self._principal = principal
        self._target = target
        self._signature = signature
        self._alias = alias
        self._exhausted: QuotaExceeded | None = None
        self._freshness: Freshness = request.app.state.fast.freshness
        self._signal = model_signal(target.model)
        self._stamp = self._freshness.stamp_of(self._signal)
        self._rows = 0
        self._failed = 0

    async def answers(self) -> AsyncIterator[bytes]:
        """Answer group by group; an error that ends the stream is told in the last line."""
        end: dict[str, object] = {}
        try:
            limit: int = self._request.app.state.settings.limits.body_bytes
            async for group in groups(self._request.stream(), limit):
                await self._admit(len(group))
                yield await self._answer(group)
                if self._exhausted is not None:
                    raise self._exhausted
        except ClientDisconnect:
            return
        except ArgosyError as error:
            end["error"] = error.detail or error.title
        except Exception:
            log.exception("stream_failed", model=self._target.model)
            end["error"] = "Internal error"
        counts = {"rows": self._rows, "failed": self._failed}
        yield to_json({**counts, "model": self._target.model, "version": self._target.number, **end}) + b"\n"

    async def _admit(self, rows: int) -> None:
        """Look at the caller again when anything has changed; wait while there are more rows than the limit allows."""
        state = self._request.app.state
        if self._stamp != (stamp := self._freshness.stamp_of(self._signal)):
            principal = await identified(self._request)
            require_scope(principal, Scope.PREDICT)
            org, _, model = self._target.model.partition("/")
            # Who is granted a model is granted an alias of it, and perhaps by now another quota.
            version, alias = (self._target.number, None) if self._target.grant is None else (None, self._alias)
            found = await self._serving.resolve(principal, org, model, version, alias)
            self._target = replace(self._target, grant=found.grant)
            self._stamp, self._principal = stamp, principal
        await state.entrance.wait(self._principal, rows)

    async def _answer(self, group: Sequence[bytes]) -> bytes:
        with counted(self._serving, self._principal, self._target):
            outcomes = await self._together(group)
        lines = []
        for outcome in outcomes:
            shown: dict[str, object] = {"row": self._rows}
            if isinstance(outcome, InvalidInput):
                shown["errors"] = [{**error, "loc": error["loc"][2:]} for error in outcome.errors]
                self._failed += 1
                self._serving.failed(self._principal, self._target, outcome)
            else:
                shown["prediction"] = outcome
            self._rows += 1
            lines.append(to_json(shown, inf_nan_mode="null"))
        return b"".join([line + b"\n" for line in lines])

    async def _together(self, group: Sequence[bytes]) -> Sequence[Prediction | InvalidInput]:
        """Return the outcome of each row; one by one when anything is wrong with any of them."""
        try:
            batch = self._parse(group)
            return await self._run(batch)
        except InvalidInput as error:
            if len(group) == 1:
                return [error]
        except ModelRejectedInput as error:
            if len(group) == 1:
                return [refuse(["rows", 0], error.title, error.type)]
        except QuotaExceeded as error:
            if len(group) == 1:
                self._exhausted = error
                self._serving.failed(self._principal, self._target, error)
                return []
        outcomes: list[Prediction | InvalidInput] = []
        for line in group:
            outcomes += await self._together([line])
            if self._exhausted is not None:
                break
        return outcomes

    def _parse(self, group: Sequence[bytes]) -> Batch:
        """Read rows as one request; lines that are not each a whole row must not become one together."""
        whole = all(line[-1:] == ENDS.get(line[:1]) for line in group)
        form = b"data" if group[0][:1] == b"[" else b"rows"
        body = b'{"%b":[%b]}' % (form, b",".join(group))
        batch = self._signature.parse(body, max_rows=len(group)) if whole else None
        if batch is None or batch.rows != len(group):
            raise refuse(["rows", 0], "A line should be one object or one list", "json_invalid")
        return batch

    async def _run(self, batch: Batch) -> Sequence[Prediction]:
        while True:
            try:
                return await self._serving.predict_rows(self._principal, self._target, batch)
            except Overloaded:
                await asyncio.sleep(PATIENCE)


async def groups(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[list[bytes]]:
    """Cut a body into lines, in groups of at most `GROUP`; empty lines are passed over.

    Raises `ContentTooLarge` for a line of more than `limit` bytes.
    """
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        lines = [line for line in map(bytes.strip, whole) if line]
        if max(map(len, [*lines, rest])) > limit:
            raise ContentTooLarge(f"a row may have at most {limit} bytes", limit=limit)
        for start in range(0, len(lines), GROUP):
            yield lines[start : start + GROUP]
    if rest.strip():
        yield [rest.strip()]
