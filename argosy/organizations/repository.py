"""SQL of organizations and memberships."""

from uuid import UUID

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import joinedload

from argosy.kit.principal import Principal, PrincipalKind
from argosy.kit.repository import Repository, TenantRepository
from argosy.organizations.models import Membership, Organization


class OrganizationRepository(Repository[Organization]):
    """Organizations, seen by their members."""

    model = Organization

    def readable_by(self, principal: Principal) -> Select[Organization]:
        """Select the organization the caller acts in."""
        return select(Organization).where(Organization.id == principal.organization_id)

    def joined_by(self, principal: Principal) -> Select[Organization]:
        """Select the organizations a user belongs to; for an API key its own, not those of who made it."""
        if principal.kind is PrincipalKind.API_KEY:
            return self.readable_by(principal)
        return select(Organization).where(
            exists().where(Membership.organization_id == Organization.id, Membership.user_id == principal.user_id)
        )

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
        named = Organization.slug == slug if slug is not None else Organization.personal.is_(True)
        return await self.one_or_none(statement.where(named))
