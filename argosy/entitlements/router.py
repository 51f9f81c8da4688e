"""Routes of entitlements."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from argosy.entitlements.errors import EntitlementNotFound, EntitlementStatusConflict
from argosy.entitlements.schemas import EntitlementCreate, EntitlementDetail, EntitlementRead, EntitlementUpdate
from argosy.entitlements.service import EntitlementReader, EntitlementService
from argosy.entitlements.states import EntitlementStatus
from argosy.kit.errors import PreconditionFailed
from argosy.kit.pagination import CursorPage, Page, PageQuery, page_query, to_page
from argosy.kit.principal import Principal, Scope
from argosy.kit.sides import Side
from argosy.kit.web.etag import IfMatch, tagged
from argosy.kit.web.idempotency import Idempotent
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import requires
from argosy.kit.web.sessions import Read, Write
from argosy.organizations.errors import OrganizationNotFound
from argosy.products.errors import ProductNotFound

router = APIRouter(prefix="/entitlements", tags=["entitlements"], route_class=TransactionalRoute, responses=GUARDED)
Reader = Annotated[Principal, requires(Scope.ENTITLEMENTS_READ)]
Editor = Annotated[Principal, requires(Scope.ENTITLEMENTS_WRITE)]
Paging = Annotated[PageQuery, Depends(page_query)]
CHANGED = problems(EntitlementNotFound, EntitlementStatusConflict, PreconditionFailed)


class EntitlementSort(StrEnum):
    """Sort orders of entitlements."""

    OLDEST = "created_at"
    NEWEST = "-created_at"


@router.post("", status_code=201, responses=problems(ProductNotFound, OrganizationNotFound), dependencies=[Idempotent])
async def grant_entitlement(
    body: EntitlementCreate, principal: Editor, session: Write, response: Response
) -> EntitlementRead:
    """Grant your product to an organization, without an order."""
    row = await EntitlementService(session).grant(principal, body)
    return tagged(response, EntitlementRead.of(row, principal))


@router.get("")
async def list_entitlements(
    principal: Reader,
    session: Read,
    query: Paging,
    side: Annotated[Side, Query(alias="as", description="`vendor`: what you have granted.")] = Side.CUSTOMER,
    status: EntitlementStatus | None = None,
    sort: Annotated[EntitlementSort, Query()] = EntitlementSort.NEWEST,
) -> Page[EntitlementRead] | CursorPage[EntitlementRead]:
    """List what your organization may use, or has granted."""
    found = await EntitlementReader(session).list(principal, side, status, query, sort)
    return to_page(found, lambda row: EntitlementRead.of(row, principal))


@router.get("/{entitlement_id}", responses=problems(EntitlementNotFound))
async def get_entitlement(
    entitlement_id: UUID, principal: Reader, session: Read, response: Response
) -> EntitlementDetail:
    """Show an entitlement, with what is used and left in this period."""
    reader = EntitlementReader(session)
    row = await reader.get(principal, entitlement_id)
    return tagged(response, EntitlementDetail.with_usage(row, principal, *await reader.used(row)))


@router.patch("/{entitlement_id}", responses=CHANGED)
async def update_entitlement(
    entitlement_id: UUID,
    body: EntitlementUpdate,
    principal: Editor,
    session: Write,
    if_match: IfMatch,
    response: Response,
) -> EntitlementRead:
    """Change an entitlement: its vendor suspends, resumes, upgrades, extends; its customer says which keys use it."""
    row = await EntitlementService(session).update(principal, entitlement_id, body, if_match)
    return tagged(response, EntitlementRead.of(row, principal))


@router.post("/{entitlement_id}/revoke", responses=CHANGED, dependencies=[Idempotent])
async def revoke_entitlement(
    entitlement_id: UUID, principal: Editor, session: Write, if_match: IfMatch, response: Response
) -> EntitlementRead:
    """End what you have granted, for good."""
    row = await EntitlementService(session).revoke(principal, entitlement_id, if_match)
    return tagged(response, EntitlementRead.of(row, principal))
