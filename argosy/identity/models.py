"""Who may call: users, their sign-ins, and the API keys of organizations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from argosy.kit.db.base import Base, Identified, Revised, TenantRow, Timestamped


class User(Identified, Timestamped, Revised, Base):
    """A person. E-mail and username are unique and kept in lower case."""

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(unique=True)
    username: Mapped[str] = mapped_column(unique=True)
    full_name: Mapped[str | None]
    password_hash: Mapped[str]
    is_admin: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)


class Session(Identified, Timestamped, Base):
    """A sign-in: a family of refresh tokens, of which only the newest is good (RFC 9700, section 4.14.2)."""

    __tablename__ = "sessions"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    refresh_hash: Mapped[str]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class ApiKey(TenantRow):
    """A credential of an organization; only the hash of its secret is kept."""

    __tablename__ = "api_keys"

    name: Mapped[str]
    prefix: Mapped[str]
    secret_hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_by: Mapped[UUID] = mapped_column(Uuid, ForeignKey("users.id", ondelete="CASCADE"))
