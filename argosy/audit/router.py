"""Routes of the audit log: an organization's, and the platform's."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime
from starlette.responses import StreamingResponse

from argosy.audit.models import PLATFORM
from argosy.audit.schemas import AuditFilter, AuditRead, AuditVerification
from argosy.audit.service import AuditReader, exported_name
from argosy.kit.db.tenancy import Actor
from argosy.kit.pagination import CursorPage, Page, PageQuery, page_query, to_page
from argosy.kit.principal import Principal, Scope
from argosy.kit.schemas import Slug
from argosy.kit.web.openapi import GUARDED, Responses, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import AsSystem, requires
from argosy.kit.web.sessions import Read
from argosy.organizations.errors import OrganizationNotFound

router = APIRouter(tags=["audit"], route_class=TransactionalRoute, responses=GUARDED)
Reader = Annotated[Principal, requires(Scope.AUDIT_READ)]
PlatformReader = Annotated[Principal, requires(Scope.PLATFORM_AUDIT)]
Paging = Annotated[PageQuery, Depends(page_query)]
EXPORTED: Responses = {
    200: {"description": "The log", "content": {"application/jsonl": {"schema": {"type": "string"}}}}
}


class AuditSort(StrEnum):
    """Sort orders of the log."""

    OLDEST = "sequence"
    NEWEST = "-sequence"


def audit_filter(
    action: Annotated[str | None, Query(max_length=100, examples=["api_key.created"])] = None,
    actor_id: Annotated[UUID | None, Query(description="Who did it.")] = None,
    since: Annotated[AwareDatetime | None, Query()] = None,
    until: Annotated[AwareDatetime | None, Query()] = None,
) -> AuditFilter:
    """Read what to look for."""
    return AuditFilter(action, actor_id, since, until)


Filter = Annotated[AuditFilter, Depends(audit_filter)]
Sort = Annotated[AuditSort, Query()]


@router.get("/organizations/{org}/audit", responses=problems(OrganizationNotFound))
async def list_audit(
    org: Slug, principal: Reader, session: Read, query: Paging, only: Filter, sort: Sort = AuditSort.NEWEST
) -> Page[AuditRead] | CursorPage[AuditRead]:
    """Show what happened in an organization: who did what, when, and from where."""
    reader = AuditReader(session)
    chain = await reader.chain_of(principal, org)
    return to_page(await reader.list(chain, query, sort, only), AuditRead.model_validate)


@router.get("/organizations/{org}/audit/verify", responses=problems(OrganizationNotFound))
async def verify_audit(org: Slug, principal: Reader, session: Read) -> AuditVerification:
    """Check that no entry of an organization's log was changed, removed or moved."""
    reader = AuditReader(session)
    return await reader.verify(await reader.chain_of(principal, org))


@router.get(
    "/organizations/{org}/audit/export",
    response_class=StreamingResponse,
    responses=problems(OrganizationNotFound) | EXPORTED,
)
async def export_audit(org: Slug, principal: Reader, session: Read, request: Request) -> StreamingResponse:
    """Download an organization's log as JSON lines, hashes included."""
    return _download(request, principal, await AuditReader(session).chain_of(principal, org))


@router.get("/audit", dependencies=[AsSystem])
async def list_platform_audit(
    _principal: PlatformReader, session: Read, query: Paging, only: Filter, sort: Sort = AuditSort.NEWEST
) -> Page[AuditRead] | CursorPage[AuditRead]:
    """Show what happened outside of organizations: failed sign-ins of nobody, administration, keys of the server."""
    listing = await AuditReader(session).list(PLATFORM, query, sort, only)
    return to_page(listing, AuditRead.model_validate)


@router.get("/audit/verify", dependencies=[AsSystem])
async def verify_platform_audit(_principal: PlatformReader, session: Read) -> AuditVerification:
    """Check the platform's log."""
    return await AuditReader(session).verify(PLATFORM)


def _download(request: Request, principal: Principal, chain: UUID) -> StreamingResponse:
    async def lines() -> AsyncIterator[bytes]:
        # The request's transaction ends before the body is sent: a stream reads in one of its own.
        async with request.app.state.database.read(Actor.of(principal)) as session:
            async for line in AuditReader(session).export(chain):
                yield line

    disposition = f'attachment; filename="{exported_name()}"'
    return StreamingResponse(lines(), media_type="application/jsonl", headers={"Content-Disposition": disposition})
