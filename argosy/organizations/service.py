"""Decisions about organizations."""

from uuid import UUID

from argosy.events.service import record
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.principal import Principal, Role
from argosy.kit.web.etag import Precondition
from argosy.organizations.errors import OrganizationNotFound, PersonalOrganization, SlugTaken
from argosy.organizations.models import Membership, Organization
from argosy.organizations.repository import MembershipRepository, OrganizationRepository
from argosy.organizations.schemas import OrganizationCreate, OrganizationUpdate


class OrganizationReader:
    """Looks organizations up."""

    def __init__(self, session: ReadSession) -> None:
        self.organizations = OrganizationRepository(session)
        self.memberships = MembershipRepository(session)

    async def get(self, principal: Principal, slug: str) -> Organization:
        """Return the caller's organization by slug; raises `OrganizationNotFound`."""
        statement = self.organizations.readable_by(principal).where(Organization.slug == slug)
        found = await self.organizations.one_or_none(statement)
        if found is None:
            raise OrganizationNotFound
        return found

    async def by_id(self, organization_id: UUID) -> Organization:
        """Return an organization that is known to exist, whoever asks."""
        found = await self.organizations.by_id(organization_id)
        if found is None:
            raise OrganizationNotFound
        return found

    async def by_slug(self, slug: str) -> Organization:
        """Return any organization by slug, for whoever gives it something; raises `OrganizationNotFound`."""
        found = await self.organizations.by_slug(slug)
        if found is None:
            raise OrganizationNotFound
        return found

    async def membership(self, user_id: UUID, slug: str | None) -> Membership | None:
        """Return a user's membership in an organization by slug, or in the personal one."""
        return await self.memberships.of_user(user_id, slug)

    async def personal(self, user_id: UUID) -> Organization:
        """Return a user's personal organization; raises `OrganizationNotFound`."""
        membership = await self.membership(user_id, None)
        if membership is None:
            raise OrganizationNotFound
        return membership.organization

    async def list_joined(self, principal: Principal, query: PageQuery, sort: str) -> Listing[Organization]:
        """Return the organizations of the user who answers for the call."""
        return await self.organizations.page(self.organizations.joined_by(principal), query, sort)

    async def owned_alone_by(self, user_id: UUID) -> list[str]:
        """Return the slugs of organizations of others that would have no owner without a user."""
        return await self.memberships.owned_alone_by(user_id)


class OrganizationService(OrganizationReader):
    """Changes organizations."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)
        self._session = session

    async def create(self, user_id: UUID, request: OrganizationCreate, *, personal: bool = False) -> Organization:
        """Make an organization that the user owns; raises `SlugTaken`."""
        if await self.organizations.slug_exists(request.slug):
            raise SlugTaken(f"an organization has the slug {request.slug!r}")
        organization = await self.organizations.add(
            Organization(slug=request.slug, name=request.name, personal=personal)
        )
        async with self._session.act_in(organization.id):
            await self.memberships.add(Membership(organization_id=organization.id, user_id=user_id, role=Role.OWNER))
        record(self._session, "organization.created", organization.slug, organization.id)
        return organization

    async def update(
        self, principal: Principal, slug: str, request: OrganizationUpdate, precondition: Precondition
    ) -> Organization:
        """Change what is sent."""
        organization = await self.get(principal, slug)
        precondition.check(organization.revision)
        for name, value in request.model_dump(exclude_unset=True, exclude_none=True).items():
            setattr(organization, name, value)
        await self.organizations.flush()
        record(self._session, "organization.updated", organization.slug, organization.id)
        return organization

    async def delete(self, principal: Principal, slug: str, precondition: Precondition) -> None:
        """Delete an organization with all it has; its audit log stays. Raises `PersonalOrganization`."""
        organization = await self.get(principal, slug)
        precondition.check(organization.revision)
        if organization.personal:
            raise PersonalOrganization("a personal organization goes with its account")
        record(self._session, "organization.deleted", organization.slug, organization.id)
        await self.organizations.delete(organization)

    async def delete_personal(self, user_id: UUID) -> None:
        """Delete a user's personal organization with all it has."""
        organization = await self.personal(user_id)
        record(self._session, "organization.deleted", organization.slug, organization.id)
        await self.organizations.delete(organization)
