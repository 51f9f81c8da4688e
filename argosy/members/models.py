"""Invitations to organizations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from argosy.kit.db.base import TenantRow
from argosy.kit.db.types import enum_type
from argosy.kit.principal import Role


class Invitation(TenantRow):
    """An offer of membership, sent to a mailbox; only the hash of its code is kept."""

    __tablename__ = "invitations"

    email: Mapped[str]
    role: Mapped[Role] = mapped_column(enum_type(Role, "invitation_role"))
    code_hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    invited_by: Mapped[UUID]
