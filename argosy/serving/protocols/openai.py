"""Embeddings in OpenAI's shape, for its clients and those made for it.

https://platform.openai.com/docs/api-reference/embeddings
"""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from argosy.kit.errors import Invalid
from argosy.kit.principal import Principal, Scope
from argosy.kit.web.openapi import GUARDED, Responses, problems
from argosy.kit.web.security import requires
from argosy.registry.errors import AliasNotFound, ModelNotFound, VersionNotFound, VersionNotReady
from argosy.serving.embedding import EmbeddingService
from argosy.serving.errors import (
    ModelNotLoadable,
    ModelRejectedInput,
    NoLiveVersion,
    NotAnEmbeddingModel,
    Overloaded,
    PredictionTimedOut,
)
from argosy.serving.protocols.openai_codec import ModelName, decode, encode
from argosy.serving.protocols.refusals import counted, refusals
from argosy.serving.service import ServingService
from argosy.serving.target import Target

Consumer = Annotated[Principal, requires(Scope.PREDICT)]
PROBLEMS = problems(
    ModelNotFound,
    VersionNotFound,
    AliasNotFound,
    NoLiveVersion,
    VersionNotReady,
    Invalid,
    NotAnEmbeddingModel,
    ModelRejectedInput,
    ModelNotLoadable,
    Overloaded,
    PredictionTimedOut,
)
_TOKENS: dict[str, Any] = {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0}}
_TEXTS: dict[str, Any] = {"type": "array", "minItems": 1, "items": {"type": "string"}}
_INPUT = {"oneOf": [{"type": "string"}, _TEXTS, _TOKENS, {"type": "array", "minItems": 1, "items": _TOKENS}]}
REQUEST_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["model", "input"],
    "additionalProperties": False,
    "properties": {
        "model": {"type": "string", "description": "`name` or `org/name`, with `@alias` or `:version`."},
        "input": _INPUT,
        "encoding_format": {"enum": ["float", "base64"], "default": "float"},
        "dimensions": {"type": "integer", "minimum": 1, "description": "Only so many of each vector, from the first."},
        "user": {"type": "string", "maxLength": 512},
    },
}
_EMBEDDING: dict[str, Any] = {
    "type": "object",
    "required": ["object", "index", "embedding"],
    "properties": {
        "object": {"const": "embedding"},
        "index": {"type": "integer"},
        "embedding": {"oneOf": [{"type": "array", "items": {"type": "number"}}, {"type": "string"}]},
    },
}
_COUNT = {"type": "integer"}
RESPONSE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["object", "data", "model", "usage"],
    "properties": {
        "object": {"const": "list"},
        "data": {"type": "array", "items": _EMBEDDING},
        "model": {"type": "string"},
        "usage": {"type": "object", "properties": {"prompt_tokens": _COUNT, "total_tokens": _COUNT}},
    },
}
_ANSWER: Responses = {200: {"description": "Embeddings", "content": {"application/json": {"schema": RESPONSE_SCHEMA}}}}

router = APIRouter(prefix="/v1", tags=["predict"], responses=GUARDED)


@router.post(
    "/embeddings",
    response_class=Response,
    responses=PROBLEMS | _ANSWER,
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": REQUEST_SCHEMA}}}},
)
async def create_embeddings(principal: Consumer, request: Request) -> Response:
    """Make embeddings of texts, in OpenAI's shape."""
    embeddings: EmbeddingService = request.app.state.embeddings
    with refusals():
        asked = decode(await request.body())
    target = await _target(request, principal, asked.model)
    with counted(request.app.state.serving, principal, target):
        made = await embeddings.embed(principal, target, asked.inputs, asked.dimensions)
    # Millions of numbers take a while to write: not on the event loop.
    body = await asyncio.to_thread(encode, target.model, made.vectors, made.tokens, in_base64=asked.in_base64)
    return Response(body, media_type="application/json")


async def _target(request: Request, principal: Principal, model: str) -> Target:
    serving: ServingService = request.app.state.serving
    named = ModelName.parse(model)
    if named is None:
        raise ModelNotFound
    return await serving.resolve(
        principal, named.org or principal.organization_slug, named.name, named.version, named.alias
    )
