"""Open Inference Protocol, version 2, over REST, with the binary tensor extension.

`{name}` is `model`, of the caller's organization, or `org/model`; `{version}` a number, or an alias.
https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request, Response

from argosy.kit.db.session import Database
from argosy.kit.errors import Invalid, Unavailable
from argosy.kit.principal import Principal, Scope
from argosy.kit.schemas import Schema
from argosy.kit.web.openapi import GUARDED, Responses, problems
from argosy.kit.web.security import requires
from argosy.registry.errors import AliasNotFound, ModelNotFound, VersionNotFound, VersionNotReady
from argosy.serving.errors import ModelNotLoadable, ModelRejectedInput, NoLiveVersion, Overloaded, PredictionTimedOut
from argosy.serving.protocols.headers import SessionId, Within
from argosy.serving.protocols.oip_plane import ModelMetadata, OipPlane, Server
from argosy.serving.protocols.refusals import refusals

HEADER_LENGTH = "Inference-Header-Content-Length"
EXTENSIONS = ["binary_tensor_data"]
FOUND = problems(ModelNotFound, VersionNotFound, AliasNotFound, NoLiveVersion, VersionNotReady, ModelNotLoadable)
REFUSED = problems(Invalid, ModelRejectedInput, Overloaded, PredictionTimedOut)
_TENSOR: dict[str, Any] = {"type": "object", "required": ["name", "shape", "datatype"]}
_REQUEST: dict[str, Any] = {
    "type": "object",
    "required": ["inputs"],
    "properties": {"inputs": {"type": "array", "minItems": 1, "items": _TENSOR}},
}
_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {"application/json": {"schema": _REQUEST}}}}
_BINARY: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_ANSWER: Responses = {200: {"description": "Outputs; in binary where asked for", "content": _BINARY}}

public = APIRouter(prefix="/v2", tags=["inference protocol"])
router = APIRouter(prefix="/v2/models", tags=["inference protocol"], responses=GUARDED | FOUND)
Consumer = Annotated[Principal, requires(Scope.PREDICT)]
Name = Annotated[str, Path(max_length=63, description="A model.")]
Org = Annotated[str, Path(max_length=63, description="Slug of its organization; the caller's if left out.")]
HeaderLength = Annotated[str | None, Header(alias=HEADER_LENGTH)]
Version = Annotated[str, Path(max_length=63, description="A number, or an alias.")]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a call is made: its JSON's length where more follows it, how long it waits, and whom it stays with."""

    length: str | None
    within: int | None
    session_id: str | None


async def manner(length: HeaderLength = None, within: Within = None, session_id: SessionId = None) -> Manner:
    """Read the headers of a call."""
    return Manner(length, within, session_id)


How = Annotated[Manner, Depends(manner)]


class Live(Schema):
    """Whether the server is alive."""

    live: bool = True


class Ready(Schema):
    """Whether the server, or a model, can serve."""

    name: str | None = None
    ready: bool = True


@public.get("")
async def oip_server() -> Server:
    """Show what serves."""
    return Server(extensions=EXTENSIONS)


@public.get("/health/live")
async def oip_live() -> Live:
    """Tell that the server is alive."""
    return Live()


@public.get("/health/ready", responses=problems(Unavailable))
async def oip_ready(request: Request) -> Ready:
    """Tell that the server takes requests; `/readyz` tells more."""
    database: Database = request.app.state.database
    await database.ping()
    return Ready()


@router.get("/{name}/ready")
async def oip_model_ready(principal: Consumer, request: Request, name: Name) -> Ready:
    """Tell that the live version is loaded."""
    return await _ready(request, principal, None, name, None)


@router.get("/{name}/versions/{version}/ready")
async def oip_version_ready(principal: Consumer, request: Request, name: Name, version: Version) -> Ready:
    """Tell that a version is loaded."""
    return await _ready(request, principal, None, name, version)


@router.get("/{org}/{name}/ready")
async def oip_model_ready_of(principal: Consumer, request: Request, org: Org, name: Name) -> Ready:
    """Tell that the live version of an organization's model is loaded."""
    return await _ready(request, principal, org, name, None)


@router.get("/{org}/{name}/versions/{version}/ready")
async def oip_version_ready_of(principal: Consumer, request: Request, org: Org, name: Name, version: Version) -> Ready:
    """Tell that a version of an organization's model is loaded."""
    return await _ready(request, principal, org, name, version)


@router.post("/{name}/infer", response_class=Response, responses=REFUSED | _ANSWER, openapi_extra=_BODY)
async def oip_infer(principal: Consumer, request: Request, name: Name, how: How) -> Response:
    """Run the live version."""
    return await _infer(request, principal, None, name, None, how)


@router.post(
    "/{name}/versions/{version}/infer", response_class=Response, responses=REFUSED | _ANSWER, openapi_extra=_BODY
)
async def oip_version_infer(principal: Consumer, request: Request, name: Name, version: Version, how: How) -> Response:
    """Run a version."""
    return await _infer(request, principal, None, name, version, how)


@router.post("/{org}/{name}/infer", response_class=Response, responses=REFUSED | _ANSWER, openapi_extra=_BODY)
async def oip_infer_of(principal: Consumer, request: Request, org: Org, name: Name, how: How) -> Response:
    """Run the live version of an organization's model."""
    return await _infer(request, principal, org, name, None, how)


@router.post(
    "/{org}/{name}/versions/{version}/infer", response_class=Response, responses=REFUSED | _ANSWER, openapi_extra=_BODY
)
async def oip_version_infer_of(
    principal: Consumer, request: Request, org: Org, name: Name, version: Version, how: How
) -> Response:
    """Run a version of an organization's model."""
    return await _infer(request, principal, org, name, version, how)


@router.get("/{name}")
async def oip_metadata(principal: Consumer, request: Request, name: Name) -> ModelMetadata:
    """Show the live version."""
    return await _metadata(request, principal, None, name, None)


@router.get("/{name}/versions/{version}")
async def oip_version_metadata(principal: Consumer, request: Request, name: Name, version: Version) -> ModelMetadata:
    """Show a version."""
    return await _metadata(request, principal, None, name, version)


@router.get("/{org}/{name}")
async def oip_metadata_of(principal: Consumer, request: Request, org: Org, name: Name) -> ModelMetadata:
    """Show the live version of an organization's model."""
    return await _metadata(request, principal, org, name, None)


@router.get("/{org}/{name}/versions/{version}")
async def oip_version_metadata_of(
    principal: Consumer, request: Request, org: Org, name: Name, version: Version
) -> ModelMetadata:
    """Show a version of an organization's model."""
    return await _metadata(request, principal, org, name, version)


def _plane(request: Request) -> OipPlane:
    return OipPlane(request.app.state.serving, request.app.state.settings.limits.rows)


def _shown(org: str | None, name: str) -> str:
    return name if org is None else f"{org}/{name}"


async def _ready(request: Request, principal: Principal, org: str | None, name: str, version: str | None) -> Ready:
    plane = _plane(request)
    await plane.load(await plane.find(principal, org, name, version))
    return Ready(name=_shown(org, name))


async def _metadata(
    request: Request, principal: Principal, org: str | None, name: str, version: str | None
) -> ModelMetadata:
    plane = _plane(request)
    return await plane.describe(await plane.find(principal, org, name, version), _shown(org, name))


async def _infer(
    request: Request, principal: Principal, org: str | None, name: str, version: str | None, how: Manner
) -> Response:
    plane = _plane(request)
    target = await plane.find(principal, org, name, version, how.session_id)
    form = await plane.form(target, _shown(org, name))
    with plane.counted(principal, target), refusals():
        batch, wanted = form.read(await request.body(), how.length, request.app.state.settings.limits.rows)
        outputs = await plane.run(principal, target, batch, how.within)
    body, header_length = wanted.body(outputs)
    if header_length is None:
        return Response(body, media_type="application/json")
    return Response(body, media_type="application/octet-stream", headers={HEADER_LENGTH: str(header_length)})
