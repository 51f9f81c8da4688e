"""Open Inference Protocol, version 2, over REST, with the binary tensor extension.

`{name}` is `model`, of the caller's organization, or `org/model`; `{version}` a number, or an alias.
https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response

from argosy import __version__
from argosy.kit.db.session import Database
from argosy.kit.errors import ArgosyError, BadRequest, ContentTooLarge, Invalid, Unavailable
from argosy.kit.principal import Principal, Scope
from argosy.kit.schemas import Schema
from argosy.kit.web.openapi import GUARDED, Responses, problems
from argosy.kit.web.security import PREDICT_TAG, requires
from argosy.registry.errors import AliasNotFound, ModelNotFound, VersionNotFound, VersionNotReady
from argosy.serving.errors import ModelNotLoadable, ModelRejectedInput, NoLiveVersion, Overloaded, PredictionTimedOut
from argosy.serving.protocols.oip_codec import DATATYPES
from argosy.serving.protocols.oip_form import InferForm
from argosy.serving.protocols.timeouts import Within
from argosy.serving.service import ServingService
from argosy.serving.target import Target
from argosy.signature.errors import InvalidInput
from argosy.signature.spec import Output, Signature

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
Version = Annotated[str, Path(max_length=63, description="A number, or an alias.")]
HeaderLength = Annotated[str | None, Header(alias=HEADER_LENGTH)]
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


class Server(Schema):
    """What serves."""

    name: str = "argosy"
    version: str = __version__
    extensions: list[str] = EXTENSIONS


class Live(Schema):
    """Whether the server is alive."""

    live: bool = True


class Ready(Schema):
    """Whether the server, or a model, can serve."""

    name: str | None = None
    ready: bool = True


class TensorMetadata(Schema):
    """A tensor of a model; -1 is a free dimension."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(Schema):
    """A model as the protocol shows it."""

    name: str
    versions: list[str]
    platform: str = "onnx_onnxv1"
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


@public.get("")
async def oip_server() -> Server:
    """Show what serves."""
    return Server()


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


@router.post(
    "/{name}/infer", tags=[PREDICT_TAG], response_class=Response, responses=REFUSED | _ANSWER, openapi_extra=_BODY
)
async def oip_infer(
    principal: Consumer,
    request: Request,
    name: Name,
    length: HeaderLength = None,
    within: Within = None,
) -> Response:
    """Run the live version."""
    return await _infer(request, principal, None, name, None, length, within)


@router.post(
    "/{name}/versions/{version}/infer",
    tags=[PREDICT_TAG],
    response_class=Response,
    responses=REFUSED | _ANSWER,
    openapi_extra=_BODY,
)
async def oip_version_infer(
    principal: Consumer,
    request: Request,
    name: Name,
    version: Version,
    length: HeaderLength = None,
    within: Within = None,
) -> Response:
    """Run a version."""
    return await _infer(request, principal, None, name, version, length, within)


@router.post(
    "/{org}/{name}/infer", tags=[PREDICT_TAG], response_class=Response, responses=REFUSED | _ANSWER, openapi_extra=_BODY
)
async def oip_infer_of(
    principal: Consumer,
    request: Request,
    org: Org,
    name: Name,
    length: HeaderLength = None,
    within: Within = None,
) -> Response:
    """Run the live version of an organization's model."""
    return await _infer(request, principal, org, name, None, length, within)


@router.post(
    "/{org}/{name}/versions/{version}/infer",
    tags=[PREDICT_TAG],
    response_class=Response,
    responses=REFUSED | _ANSWER,
    openapi_extra=_BODY,
)
async def oip_version_infer_of(
    principal: Consumer,
    request: Request,
    org: Org,
    name: Name,
    version: Version,
    length: HeaderLength = None,
    within: Within = None,
) -> Response:
    """Run a version of an organization's model."""
    return await _infer(request, principal, org, name, version, length, within)


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


async def _target(request: Request, principal: Principal, org: str | None, name: str, version: str | None) -> Target:
    serving: ServingService = request.app.state.serving
    number = int(version) if version is not None and _NUMBER.fullmatch(version) else None
    alias = version if number is None else None
    return await serving.resolve(principal, org or principal.organization_slug, name, number, alias)


async def _ready(request: Request, principal: Principal, org: str | None, name: str, version: str | None) -> Ready:
    serving: ServingService = request.app.state.serving
    await serving.lane(await _target(request, principal, org, name, version))
    return Ready(name=name if org is None else f"{org}/{name}")


async def _metadata(
    request: Request, principal: Principal, org: str | None, name: str, version: str | None
) -> ModelMetadata:
    serving: ServingService = request.app.state.serving
    target = await _target(request, principal, org, name, version)
    signature = (await serving.signature(target)).signature
    return ModelMetadata(
        name=name if org is None else f"{org}/{name}",
        versions=[str(target.number)],
        inputs=[
            TensorMetadata(name=tensor.name, datatype=DATATYPES[tensor.dtype], shape=_free(tensor.shape))
            for tensor in signature.tensors
        ],
        outputs=[
            TensorMetadata(name=output.name, datatype=DATATYPES[output.dtype], shape=_output_shape(signature, output))
            for output in signature.outputs
        ],
    )


async def _infer(
    request: Request,
    principal: Principal,
    org: str | None,
    name: str,
    version: str | None,
    length: str | None,
    within: int | None,
) -> Response:
    serving: ServingService = request.app.state.serving
    target = await _target(request, principal, org, name, version)
    form = InferForm(await serving.signature(target), name if org is None else f"{org}/{name}", target.number)
    try:
        batch, wanted = form.read(await request.body(), length, request.app.state.settings.limits.rows)
    except InvalidInput as error:
        raise _refusal(error) from error
    body, header_length = wanted.body(await serving.infer(principal, target, batch, within=within))
    if header_length is None:
        return Response(body, media_type="application/json")
    return Response(body, media_type="application/octet-stream", headers={HEADER_LENGTH: str(header_length)})


def _free(shape: list[int | None]) -> list[int]:
    return [-1 if size is None else size for size in shape]


def _output_shape(signature: Signature, output: Output) -> list[int]:
    return [-1, *_free(output.shape)] if signature.batched else _free(output.shape)


def _refusal(error: InvalidInput) -> ArgosyError:
    kinds: dict[int, type[ArgosyError]] = {400: BadRequest, 413: ContentTooLarge}
    return kinds.get(error.status, Invalid)(errors=error.errors)
