"""Routes of organizations."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from argosy.kit.errors import PreconditionFailed
from argosy.kit.pagination import CursorPage, Page, PageQuery, page_query, to_page
from argosy.kit.principal import Principal, Scope
from argosy.kit.schemas import Slug
from argosy.kit.web.etag import IfMatch, tagged
from argosy.kit.web.idempotency import Idempotent
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import requires
from argosy.kit.web.sessions import Read, Write
from argosy.organizations.errors import OrganizationNotFound, PersonalOrganization, SlugTaken
from argosy.organizations.schemas import OrganizationCreate, OrganizationRead, OrganizationUpdate
from argosy.organizations.service import OrganizationReader, OrganizationService

router = APIRouter(prefix="/organizations", tags=["organizations"], route_class=TransactionalRoute, responses=GUARDED)
Reader = Annotated[Principal, requires(Scope.ORGANIZATION_READ)]
Editor = Annotated[Principal, requires(Scope.ORGANIZATION_WRITE)]
Owner = Annotated[Principal, requires(Scope.ORGANIZATION_OWN)]
Paging = Annotated[PageQuery, Depends(page_query)]


class OrganizationSort(StrEnum):
    """Sort orders of organizations."""

    OLDEST = "created_at"
    NEWEST = "-created_at"
    SLUG = "slug"
    SLUG_DESCENDING = "-slug"


@router.post("", status_code=201, responses=problems(SlugTaken), dependencies=[Idempotent])
async def create_organization(
    body: OrganizationCreate, principal: Editor, session: Write, response: Response
) -> OrganizationRead:
    """Make an organization and own it."""
    organization = await OrganizationService(session).create(principal.user_id, body)
    return tagged(response, OrganizationRead.model_validate(organization))


@router.get("")
async def list_organizations(
    principal: Reader, session: Read, query: Paging, sort: Annotated[OrganizationSort, Query()] = OrganizationSort.SLUG
) -> Page[OrganizationRead] | CursorPage[OrganizationRead]:
    """List the organizations you belong to."""
    return to_page(
        await OrganizationReader(session).list_joined(principal, query, sort), OrganizationRead.model_validate
    )


@router.get("/{org}", responses=problems(OrganizationNotFound))
async def get_organization(org: Slug, principal: Reader, session: Read, response: Response) -> OrganizationRead:
    """Show an organization."""
    organization = await OrganizationReader(session).get(principal, org)
    return tagged(response, OrganizationRead.model_validate(organization))


@router.patch("/{org}", responses=problems(OrganizationNotFound, PreconditionFailed))
async def update_organization(
    org: Slug, body: OrganizationUpdate, principal: Editor, session: Write, if_match: IfMatch, response: Response
) -> OrganizationRead:
    """Change an organization."""
    organization = await OrganizationService(session).update(principal, org, body, if_match)
    return tagged(response, OrganizationRead.model_validate(organization))


@router.delete(
    "/{org}",
    status_code=204,
    responses=problems(OrganizationNotFound, PersonalOrganization, PreconditionFailed),
)
async def delete_organization(org: Slug, principal: Owner, session: Write, if_match: IfMatch) -> None:
    """Delete an organization with all it has."""
    await OrganizationService(session).delete(principal, org, if_match)
