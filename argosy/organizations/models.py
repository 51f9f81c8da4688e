"""Tenants and who belongs to them."""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from argosy.kit.db.base import Base, Identified, Revised, TenantRow, Timestamped
from argosy.kit.db.tenancy import RowPolicy
from argosy.kit.db.types import enum_type
from argosy.kit.principal import Role


class Organization(Identified, Timestamped, Revised, Base):
    """A tenant. Every user has a personal one, whose slug is the username."""

    __tablename__ = "organizations"

    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    personal: Mapped[bool] = mapped_column(default=False)


class Membership(TenantRow):
    """A user's role in an organization."""

    __tablename__ = "memberships"
    __table_args__ = (UniqueConstraint("organization_id", "user_id"),)
    # Whatever organization a person acts in, they see which ones they belong to.
    __row_policy__: ClassVar[RowPolicy] = RowPolicy(also_read="user_id = argosy_person()")

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[Role] = mapped_column(enum_type(Role, "role"))
    organization: Mapped[Organization] = relationship(lazy="raise")
