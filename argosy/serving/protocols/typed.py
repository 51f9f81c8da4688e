"""Typed REST: JSON rows, columns or data in, or images; named, typed predictions out."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from argosy.kit.errors import Invalid, UnsupportedMediaType
from argosy.kit.principal import Principal, Scope
from argosy.kit.schemas import Slug
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.security import requires
from argosy.registry.errors import AliasNotFound, ModelNotFound, VersionNotFound, VersionNotReady
from argosy.serving.errors import ModelNotLoadable, ModelRejectedInput, NoLiveVersion, PredictionTimedOut
from argosy.serving.imaging import ImageDecoder
from argosy.serving.protocols import images
from argosy.serving.protocols.headers import SessionId, Within
from argosy.serving.protocols.refusals import counted, refusals
from argosy.serving.service import ServingService
from argosy.serving.target import Target
from argosy.signature.tensors import Batch

router = APIRouter(prefix="/models/{org}/{name}", tags=["predict"], responses=GUARDED)
Consumer = Annotated[Principal, requires(Scope.PREDICT)]
PREDICT_PROBLEMS = problems(
    ModelNotFound,
    VersionNotFound,
    AliasNotFound,
    NoLiveVersion,
    VersionNotReady,
    Invalid,
    ModelRejectedInput,
    ModelNotLoadable,
    PredictionTimedOut,
)
JSON = "application/json"
_ROW: dict[str, Any] = {"type": "object", "additionalProperties": True}
_VALUES: dict[str, Any] = {"type": "array", "items": {}}
REQUEST_SCHEMA: dict[str, Any] = {
    "oneOf": [
        {"type": "object", "required": ["rows"], "properties": {"rows": {"type": "array", "items": _ROW}}},
        {
            "type": "object",
            "required": ["columns"],
            "properties": {"columns": {"type": "object", "additionalProperties": _VALUES}},
        },
        {"type": "object", "required": ["data"], "properties": {"data": {"type": "array", "items": _VALUES}}},
    ]
}
RESPONSE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id", "model", "version", "predictions"],
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "model": {"type": "string"},
        "version": {"type": "integer"},
        "predictions": {"type": "array", "items": _ROW},
        "latency_ms": {"type": "number"},
        "request_id": {"type": "string"},
    },
}


@router.post(
    "/predict",
    response_class=Response,
    responses=PREDICT_PROBLEMS
    | {200: {"description": "Predictions", "content": {"application/json": {"schema": RESPONSE_SCHEMA}}}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": REQUEST_SCHEMA}, **images.CONTENT},
        }
    },
)
async def predict(
    org: Slug,
    name: Slug,
    principal: Consumer,
    request: Request,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Ask this version.")] = None,
    alias: Annotated[Slug | None, Query(description="Ask the version an alias points at; `live` if left out.")] = None,
    within: Within = None,
    session_id: SessionId = None,
) -> Response:
    """Predict. Each live model also has a route of its own here, with its own schema."""
    media_type = _media_type(request)
    serving: ServingService = request.app.state.serving
    target = await serving.resolve(principal, org, name, version, alias, session_id)
    limit: int = request.app.state.settings.limits.rows
    with counted(serving, principal, target), refusals():
        read = await request.body() if media_type == JSON else await _read_images(request, media_type, target, limit)
        body, cached = await serving.answer(principal, target, read, max_rows=limit, within=within)
    headers = None if cached is None else {"X-Cache": "hit" if cached else "miss"}
    return Response(body, media_type="application/json", headers=headers)


def _media_type(request: Request) -> str:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in {JSON, *images.MEDIA_TYPES}:
        raise UnsupportedMediaType("send the rows as application/json, or an image as image/png or image/jpeg")
    return media_type


async def _read_images(request: Request, media_type: str, target: Target, max_rows: int) -> Batch:
    serving: ServingService = request.app.state.serving
    decoder: ImageDecoder = request.app.state.images
    signature = (await serving.signature(target)).signature
    return await decoder.read(signature, await images.contents(request, media_type, signature, max_rows))
