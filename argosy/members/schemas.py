"""Wire shapes of members and invitations."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import Field

from argosy.identity.models import User
from argosy.identity.schemas import Code, Email
from argosy.kit.principal import Role
from argosy.kit.schemas import Read, RequestSchema
from argosy.organizations.models import Membership
from argosy.organizations.schemas import OrganizationRef


class MemberRead(Read):
    """A member. Only those who may change members see addresses."""

    user_id: UUID
    username: str
    full_name: str | None
    email: str | None = Field(description="Null for callers who may not change members.")
    role: Role

    @classmethod
    def of(cls, membership: Membership, user: User, *, private: bool) -> Self:
        """Return a member as a caller may see it."""
        return cls(
            id=membership.id,
            created_at=membership.created_at,
            updated_at=membership.updated_at,
            user_id=user.id,
            username=user.username,
            full_name=user.full_name,
            email=user.email if private else None,
            role=membership.role,
        )


class Joined(MemberRead):
    """A membership that has just begun."""

    organization: OrganizationRef


class MemberUpdate(RequestSchema):
    """A member's new role."""

    role: Role


class InvitationCreate(RequestSchema):
    """Whom to invite, as what."""

    email: Email
    role: Role = Role.VIEWER


class InvitationRead(Read):
    """An invitation; its code is in the mail alone."""

    email: str
    role: Role
    invited_by: UUID
    expires_at: datetime
    accepted_at: datetime | None
    revoked_at: datetime | None


class InvitationAccept(RequestSchema):
    """The code of an invitation."""

    code: Code


class Transfer(RequestSchema):
    """Who owns the organization from now on."""

    user_id: UUID
