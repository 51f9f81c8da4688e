"""Who may call: users, their sign-ins and codes, the API keys and OAuth2 clients of organizations, signing keys."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from argosy.kit.clock import now
from argosy.kit.db.base import Base, Identified, Revised, TenantRow, Timestamped
from argosy.kit.db.types import Json, enum_type

_VERIFIED = text("email_verified_at IS NOT NULL")


class SessionKind(StrEnum):
    """What a sign-in is kept by: a refresh token, or a browser's cookie."""

    TOKEN = "token"  # noqa: S105 - a kind, not a secret
    BROWSER = "browser"


class CodePurpose(StrEnum):
    """What a code that was sent by mail lets its holder do."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose, not a secret


class User(Identified, Timestamped, Revised, Base):
    """A person. E-mail and username are in lower case; an address belongs to whoever has verified it.

    Unverified addresses may repeat: refusing one at registration would tell who has an account.
    """

    __tablename__ = "users"
    __table_args__ = (
        Index("uq_users_verified_email", "email", unique=True, sqlite_where=_VERIFIED, postgresql_where=_VERIFIED),
        Index("ix_users_email", "email"),
    )

    email: Mapped[str]
    username: Mapped[str] = mapped_column(unique=True)
    full_name: Mapped[str | None]
    password_hash: Mapped[str | None] = mapped_column(doc="Null for those who sign in with another provider.")
    is_admin: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)
    email_verified_at: Mapped[datetime | None]
    failed_sign_ins: Mapped[int] = mapped_column(default=0, server_default="0", doc="In a row, from new addresses.")


class Session(Identified, Timestamped, Base):
    """A sign-in.

    For a program it is a family of refresh tokens, of which only the newest is good (RFC 9700, section 4.14.2); for a
    browser it is what the cookie names. Either secret is kept as a hash.
    """

    __tablename__ = "sessions"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[SessionKind] = mapped_column(
        enum_type(SessionKind, "session_kind"), default=SessionKind.TOKEN, server_default=SessionKind.TOKEN.value
    )
    refresh_hash: Mapped[str]
    scopes: Mapped[list[str] | None] = mapped_column(doc="What was asked for; null is everything.")
    client_id: Mapped[str | None] = mapped_column(doc="The OAuth2 client it was given to, if any.")
    address: Mapped[str | None]
    user_agent: Mapped[str | None]
    last_seen_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class AccountCode(Identified, Base):
    """A code sent to a mailbox: single use, short-lived, kept as a hash."""

    __tablename__ = "account_codes"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[CodePurpose] = mapped_column(enum_type(CodePurpose, "code_purpose"))
    email: Mapped[str] = mapped_column(doc="The mailbox it was sent to, and proves.")
    session_id: Mapped[UUID | None] = mapped_column(doc="The sign-in that asked for it, which stays.")
    code_hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Identity(Identified, Timestamped, Base):
    """A person's account at an OpenID Connect provider."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    issuer: Mapped[str]
    subject: Mapped[str]


class ApiKey(TenantRow):
    """A credential of an organization; only the hash of its secret is kept.

    It never holds more than the person who made it holds now. While it is being rotated, the former secret is good
    until `former_until`.
    """

    __tablename__ = "api_keys"

    name: Mapped[str]
    prefix: Mapped[str]
    suffix: Mapped[str] = mapped_column(server_default="", doc="The last four characters, to tell keys apart.")
    secret_hash: Mapped[str] = mapped_column(unique=True)
    former_hash: Mapped[str | None] = mapped_column(unique=True, index=True)
    former_until: Mapped[datetime | None]
    scopes: Mapped[list[str]]
    models: Mapped[list[str] | None] = mapped_column(doc="Full names it is limited to.")
    networks: Mapped[list[str] | None] = mapped_column(doc="Networks it may be used from.")
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    created_by: Mapped[UUID] = mapped_column(Uuid, ForeignKey("users.id", ondelete="CASCADE"))


class Client(TenantRow):
    """An OAuth2 client of an organization: a service's own identity, which outlives the person who made it."""

    __tablename__ = "oauth_clients"

    client_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    secret_hash: Mapped[str]
    former_hash: Mapped[str | None]
    former_until: Mapped[datetime | None]
    scopes: Mapped[list[str]]
    redirect_uris: Mapped[list[str]] = mapped_column(default=list, doc="Where an authorization code may be sent.")
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_by: Mapped[UUID]


class AuthorizationCode(Identified, Base):
    """What a person allowed a client, until it is exchanged for tokens (RFC 6749, section 4.1; RFC 7636)."""

    __tablename__ = "authorization_codes"

    code_hash: Mapped[str] = mapped_column(unique=True)
    client_id: Mapped[str]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    redirect_uri: Mapped[str]
    code_challenge: Mapped[str]
    scopes: Mapped[list[str]]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    session_id: Mapped[UUID | None] = mapped_column(doc="The sign-in it became; set once.")


class SigningKey(Base):
    """A key that signs access tokens; the private part is encrypted with a key that is not in the database."""

    __tablename__ = "signing_keys"

    id: Mapped[str] = mapped_column(primary_key=True, doc="The key id (`kid`).")
    private_key: Mapped[str]
    public_key: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(default=now)
    verify_until: Mapped[datetime | None] = mapped_column(doc="Null while it signs.")


class RevokedToken(Base):
    """An access token that was ended before its time (RFC 7009)."""

    __tablename__ = "revoked_tokens"

    jti: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
