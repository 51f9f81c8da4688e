"""Routes of versions and aliases."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from argosy.kit.errors import PreconditionFailed
from argosy.kit.pagination import CursorPage, Page, to_page
from argosy.kit.schemas import Slug
from argosy.kit.web.etag import IfMatch, tagged
from argosy.kit.web.idempotency import Idempotency, idempotency
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.sessions import Read, Write
from argosy.registry.aliases import AliasReader, AliasService
from argosy.registry.dependencies import Editor, Number, Paging, Reader, Upload
from argosy.registry.downloads import ArtifactKind, download
from argosy.registry.errors import (
    AliasNotFound,
    DigestMismatch,
    FormatRefused,
    ModelNotFound,
    RangeNotSatisfiable,
    SignatureNotDerived,
    VersionNotFound,
    VersionNotReady,
)
from argosy.registry.models import VersionStatus
from argosy.registry.schemas import (
    AliasChangeRead,
    AliasRead,
    AliasSet,
    Comparison,
    SignatureRead,
    VersionRead,
    VersionUpdate,
)
from argosy.registry.service import ModelReader
from argosy.registry.versions import VersionReader, VersionService

router = APIRouter(
    prefix="/models/{org}/{name}",
    tags=["versions"],
    route_class=TransactionalRoute,
    responses=GUARDED | problems(ModelNotFound),
)
_BINARY: dict[str, Any] = {"type": "string", "contentMediaType": "application/octet-stream"}
UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["artifact"],
                    "additionalProperties": False,
                    "properties": {
                        "artifact": {**_BINARY, "description": "The model: ONNX or skops."},
                        "sample": {**_BINARY, "description": 'JSON `{"inputs": …, "outputs": …}` or Parquet.'},
                        "evidence": {**_BINARY, "description": "What the original answers to probes, from the SDK."},
                        "tokenizer": {**_BINARY, "description": "Hugging Face's `tokenizer.json`, for embeddings."},
                        "metadata": {"type": "string", "contentMediaType": "application/json"},
                    },
                },
                "encoding": {"metadata": {"contentType": "application/json"}},
            }
        },
    }
}


class VersionSort(StrEnum):
    """Sort orders of versions."""

    NUMBER = "number"
    NUMBER_DESCENDING = "-number"
    OLDEST = "created_at"
    NEWEST = "-created_at"


class ChangeSort(StrEnum):
    """Sort orders of an alias's history."""

    OLDEST = "created_at"
    NEWEST = "-created_at"


@router.post("/versions", status_code=202, responses=problems(FormatRefused, DigestMismatch), openapi_extra=UPLOAD_BODY)
async def create_version(
    org: Slug,
    name: Slug,
    principal: Editor,
    upload: Upload,
    key: Annotated[Idempotency, Depends(idempotency)],
    session: Write,
    response: Response,
) -> VersionRead:
    """Upload the next version; it is converted and verified in the background."""
    await key.begin(upload.fingerprint)
    model = await ModelReader(session).get_writable(principal, org, name)
    version = await VersionService(session).create(principal, model, upload)
    response.headers["Location"] = f"/api/v1/models/{model.full_name}/versions/{version.number}"
    return VersionRead.of(model, version)


@router.get("/versions")
async def list_versions(
    org: Slug,
    name: Slug,
    principal: Reader,
    session: Read,
    query: Paging,
    sort: Annotated[VersionSort, Query()] = VersionSort.NUMBER_DESCENDING,
    status: Annotated[VersionStatus | None, Query(description="Only versions in this state.")] = None,
) -> Page[VersionRead] | CursorPage[VersionRead]:
    """List the versions of a model."""
    model = await ModelReader(session).get(principal, org, name)
    page = await VersionReader(session).list(model, query, sort, status)
    return to_page(page, lambda version: VersionRead.of(model, version))


@router.get("/versions/compare", responses=problems(VersionNotFound))
async def compare_versions(
    org: Slug,
    name: Slug,
    principal: Reader,
    session: Read,
    a: Annotated[int, Query(ge=1, le=2**31 - 1)],
    b: Annotated[int, Query(ge=1, le=2**31 - 1)],
) -> Comparison:
    """Show what differs between two versions."""
    model = await ModelReader(session).get(principal, org, name)
    return await VersionReader(session).compare(model, a, b)


@router.get("/versions/{number}", responses=problems(VersionNotFound))
async def get_version(
    org: Slug, name: Slug, number: Number, principal: Reader, session: Read, response: Response
) -> VersionRead:
    """Show a version, with its signature and parity report."""
    model = await ModelReader(session).get(principal, org, name)
    version = await VersionReader(session).get(model, number)
    return tagged(response, VersionRead.of(model, version))


@router.patch("/versions/{number}", responses=problems(VersionNotFound, SignatureNotDerived, PreconditionFailed))
async def update_version(
    org: Slug,
    name: Slug,
    number: Number,
    body: VersionUpdate,
    principal: Editor,
    session: Write,
    if_match: IfMatch,
    response: Response,
) -> VersionRead:
    """Change what is said about a version, and the constraints on its features."""
    model = await ModelReader(session).get_writable(principal, org, name)
    version = await VersionService(session).update(model, number, body, if_match)
    return tagged(response, VersionRead.of(model, version))


@router.get(
    "/versions/{number}/artifact",
    response_class=Response,
    responses=problems(VersionNotFound, VersionNotReady, RangeNotSatisfiable)
    | {
        200: {"description": "The artifact", "content": {"application/octet-stream": {"schema": _BINARY}}},
        206: {"description": "A range of it", "content": {"application/octet-stream": {"schema": _BINARY}}},
    },
)
async def download_artifact(
    org: Slug,
    name: Slug,
    number: Number,
    principal: Reader,
    session: Read,
    request: Request,
    kind: Annotated[ArtifactKind, Query()] = ArtifactKind.ONNX,
    byte_range: Annotated[str | None, Header(alias="Range", max_length=100)] = None,
) -> Response:
    """Download a version's artifact, whole or in ranges."""
    model = await ModelReader(session).get(principal, org, name)
    version = await VersionReader(session).get(model, number)
    return await download(request.app.state.store, model, version, kind, byte_range)


@router.get("/versions/{number}/signature", responses=problems(VersionNotFound, SignatureNotDerived))
async def get_signature(org: Slug, name: Slug, number: Number, principal: Reader, session: Read) -> SignatureRead:
    """Show a version's signature and its JSON Schema."""
    model = await ModelReader(session).get(principal, org, name)
    return await VersionReader(session).signature(model, number)


@router.get("/aliases")
async def list_aliases(org: Slug, name: Slug, principal: Reader, session: Read) -> list[AliasRead]:
    """List the aliases of a model."""
    model = await ModelReader(session).get(principal, org, name)
    return [AliasRead.of(alias) for alias in await AliasReader(session).list(model)]


@router.get("/aliases/{alias}", responses=problems(AliasNotFound))
async def get_alias(
    org: Slug, name: Slug, alias: Slug, principal: Reader, session: Read, response: Response
) -> AliasRead:
    """Show an alias."""
    model = await ModelReader(session).get(principal, org, name)
    row = await AliasReader(session).get(model, alias)
    return tagged(response, AliasRead.of(row))


@router.put("/aliases/{alias}", responses=problems(VersionNotFound, VersionNotReady, PreconditionFailed))
async def set_alias(
    org: Slug,
    name: Slug,
    alias: Slug,
    body: AliasSet,
    principal: Editor,
    session: Write,
    if_match: IfMatch,
    response: Response,
) -> AliasRead:
    """Point an alias at a ready version."""
    model = await ModelReader(session).get_writable(principal, org, name)
    row = await AliasService(session).set(model, alias, body.version, principal.id, if_match)
    return tagged(response, AliasRead.of(row))


@router.delete("/aliases/{alias}", status_code=204, responses=problems(AliasNotFound))
async def remove_alias(org: Slug, name: Slug, alias: Slug, principal: Editor, session: Write) -> None:
    """Remove an alias."""
    model = await ModelReader(session).get_writable(principal, org, name)
    await AliasService(session).remove(model, alias, principal.id)


@router.get("/aliases/{alias}/history")
async def alias_history(
    org: Slug,
    name: Slug,
    alias: Slug,
    principal: Reader,
    session: Read,
    query: Paging,
    sort: Annotated[ChangeSort, Query()] = ChangeSort.NEWEST,
) -> Page[AliasChangeRead] | CursorPage[AliasChangeRead]:
    """Show where an alias has pointed, and who moved it."""
    model = await ModelReader(session).get(principal, org, name)
    return to_page(await AliasReader(session).history(model, alias, query, sort), AliasChangeRead.of)
