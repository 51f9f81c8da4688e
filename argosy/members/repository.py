"""SQL of members and invitations."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, update

from argosy.identity.models import User
from argosy.kit.clock import now
from argosy.kit.principal import Principal
from argosy.kit.repository import TenantRepository
from argosy.members.models import Invitation
from argosy.organizations.models import Membership


class MemberRepository(TenantRepository[Membership]):
    """Members of the caller's organization."""

    model = Membership

    async def get(self, principal: Principal, user_id: UUID) -> Membership | None:
        """Return a member."""
        return await self.one_or_none(self.writable_by(principal).where(Membership.user_id == user_id))

    async def lock(self, principal: Principal) -> None:
        """Let nobody else change the owners until the transaction ends: two must not both be the last to go."""
        owners = self.writable_by(principal).order_by(Membership.id).with_for_update()
        await self._session.execute(owners)

    async def people(self, user_ids: Sequence[UUID]) -> dict[UUID, User]:
        """Return users by id, in one query."""
        found = await self._session.scalars(select(User).where(User.id.in_(user_ids)))
        return {user.id: user for user in found}

    async def has_address(self, principal: Principal, email: str) -> bool:
        """Tell whether a member has proved an address."""
        statement = (
            self.readable_by(principal)
            .join(User, User.id == Membership.user_id)
            .where(User.email == email, User.email_verified_at.is_not(None))
        )
        return await self.one_or_none(statement) is not None


class InvitationRepository(TenantRepository[Invitation]):
    """Invitations of the caller's organization."""

    model = Invitation

    def pending(self, principal: Principal) -> Select[Invitation]:
        """Select invitations that can still be accepted."""
        return self.readable_by(principal).where(*_open())

    async def withdraw(self, principal: Principal, email: str) -> None:
        """Make earlier invitations of an address worthless."""
        await self._session.execute(
            update(Invitation)
            .where(Invitation.organization_id == principal.organization_id, Invitation.email == email, *_open())
            .values(revoked_at=now())
            .execution_options(synchronize_session=False)
        )

    async def by_code(self, code_hash: str) -> Invitation | None:
        """Return an open invitation by its code, locked; whoever has the code was invited, in any organization."""
        return await self.one_or_none(
            select(Invitation).where(Invitation.code_hash == code_hash, *_open()).with_for_update()
        )


def _open() -> tuple[ColumnElement[bool], ...]:
    return (Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None), Invitation.expires_at > now())
