"""SQL of organizations and memberships."""

from uuid import UUID

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import aliased, joinedload

from argosy.kit.principal import Principal, PrincipalKind, Role
from argosy.kit.repository import Repository, TenantRepository
from argosy.organizations.models import Membership, Organization


class OrganizationRepository(Repository[Organization]):
    """Organizations, seen by their members."""

    model = Organization

    def readable_by(self, principal: Principal) -> Select[Organization]:
        """Select the organization the caller acts in."""
        return select(Organization).where(Organization.id == principal.organization_id)

    def joined_by(self, principal: Principal) -> Select[Organization]:
        """Select the organizations a user belongs to; for a key or a client its own, not those of who made it."""
        if principal.kind is not PrincipalKind.USER:
            return self.readable_by(principal)
        return select(Organization).where(
            exists().where(Membership.organization_id == Organization.id, Membership.user_id == principal.user_id)
        )

    async def by_id(self, organization_id: UUID) -> Organization | None:
        """Return an organization by id."""
        return await self.one_or_none(select(Organization).where(Organization.id == organization_id))

    async def by_slug(self, slug: str) -> Organization | None:
        """Return an organization by slug."""
        return await self.one_or_none(select(Organization).where(Organization.slug == slug))

    async def slug_exists(self, slug: str) -> bool:
        """Tell whether any organization has a slug."""
        return bool(await self._session.scalar(select(exists().where(Organization.slug == slug))))


class MembershipRepository(TenantRepository[Membership]):
    """Memberships of the caller's organization."""

    model = Membership

    async def of_user(self, user_id: UUID, slug: str | None) -> Membership | None:
        """Return a user's membership in an organization by slug, or in the personal one."""
        statement = (
            select(Membership)
            .join(Membership.organization)
            .where(Membership.user_id == user_id)
            .options(joinedload(Membership.organization))
        )
        if slug is not None:
            return await self.one_or_none(statement.where(Organization.slug == slug))
        # Others may have been invited to it, but nobody else owns it.
        mine = (Organization.personal.is_(True), Membership.role == Role.OWNER)
        return await self.one_or_none(statement.where(*mine))

    async def owned_alone_by(self, user_id: UUID) -> list[str]:
        """Return the slugs of organizations, but the personal one, whose only owner is a user."""
        other = aliased(Membership)
        shared = exists().where(
            other.organization_id == Membership.organization_id, other.role == Role.OWNER, other.user_id != user_id
        )
        statement = (
            select(Organization.slug)
            .join(Membership, Membership.organization_id == Organization.id)
            .where(
                Membership.user_id == user_id,
                Membership.role == Role.OWNER,
                Organization.personal.is_(False),
                ~shared,
            )
        )
        return list(await self._session.scalars(statement))

    async def joined(self, user_id: UUID) -> set[UUID]:
        """Return the organizations a user belongs to."""
        statement = select(Membership.organization_id).where(Membership.user_id == user_id)
        return set(await self._session.scalars(statement))

    async def owners(self, organization_id: UUID) -> int:
        """Return how many owners an organization has."""
        statement = select(func.count()).where(
            Membership.organization_id == organization_id, Membership.role == Role.OWNER
        )
        return await self._session.scalar(statement) or 0
