"""Routes of members and invitations."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from argosy.identity.errors import InvalidCode, LastOwner
from argosy.kit.pagination import CursorPage, Page, PageQuery, page_query, to_page
from argosy.kit.principal import Principal, Scope
from argosy.kit.schemas import Slug
from argosy.kit.web.idempotency import Idempotent
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import AsSystem, Person, requires
from argosy.kit.web.sessions import Read, Write
from argosy.members.errors import AlreadyMember, InvitationNotFound, MemberNotFound, OwnersOnly
from argosy.members.schemas import (
    InvitationAccept,
    InvitationCreate,
    InvitationRead,
    Joined,
    MemberRead,
    MemberUpdate,
    Transfer,
)
from argosy.members.service import InvitationService, MemberReader, MemberService
from argosy.organizations.errors import OrganizationNotFound, PersonalOrganization

router = APIRouter(
    prefix="/organizations/{org}",
    tags=["members"],
    route_class=TransactionalRoute,
    responses=GUARDED | problems(OrganizationNotFound),
)
invitations = APIRouter(prefix="/invitations", tags=["members"], route_class=TransactionalRoute)
Reader = Annotated[Principal, requires(Scope.MEMBERS_READ)]
Editor = Annotated[Principal, requires(Scope.MEMBERS_WRITE)]
Owner = Annotated[Principal, requires(Scope.ORGANIZATION_OWN)]
Paging = Annotated[PageQuery, Depends(page_query)]


class MemberSort(StrEnum):
    """Sort orders of members and invitations."""

    OLDEST = "created_at"
    NEWEST = "-created_at"


Sort = Annotated[MemberSort, Query()]


def invitation_service(request: Request, session: Write) -> InvitationService:
    """Return the service of invitations."""
    state = request.app.state
    return InvitationService(session, state.keys, state.settings.security)


Invitations = Annotated[InvitationService, Depends(invitation_service)]


@router.get("/members")
async def list_members(
    org: Slug, principal: Reader, session: Read, query: Paging, sort: Sort = MemberSort.OLDEST
) -> Page[MemberRead] | CursorPage[MemberRead]:
    """List the members of an organization."""
    return to_page(await MemberReader(session).list(principal, org, query, sort), MemberRead.model_validate)


@router.patch("/members/{user_id}", responses=problems(MemberNotFound, OwnersOnly, LastOwner, PersonalOrganization))
async def update_member(org: Slug, user_id: UUID, body: MemberUpdate, principal: Editor, session: Write) -> MemberRead:
    """Give a member another role."""
    return await MemberService(session).change_role(principal, org, user_id, body.role)


@router.delete("/members/{user_id}", status_code=204, responses=problems(MemberNotFound, OwnersOnly, LastOwner))
async def remove_member(org: Slug, user_id: UUID, principal: Editor, session: Write) -> None:
    """Remove a member."""
    await MemberService(session).remove(principal, org, user_id)


@router.post("/leave", status_code=204, responses=problems(MemberNotFound, LastOwner))
async def leave_organization(org: Slug, principal: Person, session: Write) -> None:
    """Leave an organization."""
    await MemberService(session).remove(principal, org, principal.user_id)


@router.post("/transfer", responses=problems(MemberNotFound, PersonalOrganization))
async def transfer_organization(org: Slug, body: Transfer, principal: Owner, session: Write) -> MemberRead:
    """Hand an organization over to another member; you stay as an administrator."""
    return await MemberService(session).transfer(principal, org, body.user_id)


@router.post(
    "/invitations",
    status_code=201,
    responses=problems(AlreadyMember, OwnersOnly, PersonalOrganization),
    dependencies=[Idempotent],
)
async def create_invitation(
    org: Slug, body: InvitationCreate, principal: Editor, service: Invitations
) -> InvitationRead:
    """Invite somebody by e-mail."""
    return InvitationRead.model_validate(await service.invite(principal, org, body))


@router.get("/invitations")
async def list_invitations(
    org: Slug, principal: Editor, session: Read, query: Paging, sort: Sort = MemberSort.NEWEST
) -> Page[InvitationRead] | CursorPage[InvitationRead]:
    """List the invitations that can still be accepted."""
    page = await MemberReader(session).list_invitations(principal, org, query, sort)
    return to_page(page, InvitationRead.model_validate)


@router.delete("/invitations/{invitation_id}", status_code=204, responses=problems(InvitationNotFound))
async def withdraw_invitation(org: Slug, invitation_id: UUID, principal: Editor, service: Invitations) -> None:
    """Withdraw an invitation."""
    await service.withdraw(principal, org, invitation_id)


@invitations.post("/accept", responses=GUARDED | problems(InvalidCode, AlreadyMember), dependencies=[AsSystem])
async def accept_invitation(body: InvitationAccept, principal: Person, service: Invitations) -> Joined:
    """Accept an invitation that was sent to your address."""
    return await service.accept(principal, body.code.get_secret_value())
