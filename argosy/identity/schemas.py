"""Wire shapes of identity."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, EmailStr, Field, SecretStr, StringConstraints

from argosy.kit.clock import now
from argosy.kit.principal import Scope
from argosy.kit.schemas import Read, RequestSchema, Schema, Text
from argosy.organizations.schemas import OrganizationRef

MAX_PASSWORD = 128
Email = Annotated[EmailStr, AfterValidator(str.lower), Field(max_length=254, examples=["ada@example.org"])]
Username = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$", min_length=2, max_length=63, to_lower=True),
    Field(examples=["ada"]),
]
FullName = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
Password = Annotated[
    SecretStr,
    Field(max_length=MAX_PASSWORD, description="Any characters; a sentence makes a good one.", examples=["…"]),
]


def _in_future(value: datetime) -> datetime:
    if value <= now():
        raise ValueError("must be in the future")
    return value


class Register(RequestSchema):
    """A new account."""

    email: Email
    username: Username
    password: Password
    full_name: FullName | None = None


class UserUpdate(RequestSchema):
    """What users may change of themselves."""

    full_name: FullName | None = None


class UserRead(Read):
    """A user."""

    email: str
    username: str
    full_name: str | None
    is_admin: bool
    revision: int


class Registered(UserRead):
    """A new user with the personal organization."""

    organization: OrganizationRef


class TokenRequest(Schema):
    """The form of the token endpoint (RFC 6749, sections 4.3 and 6); parameters it does not know are ignored."""

    grant_type: Annotated[str, Field(max_length=100)]
    username: Annotated[Text, Field(max_length=254)] | None = None
    password: Annotated[SecretStr, Field(max_length=MAX_PASSWORD)] | None = None
    refresh_token: Annotated[SecretStr, Field(max_length=200)] | None = None
    scope: Annotated[Text, Field(max_length=1000, description="Space-separated; all you may have if left out.")] = ""


class Token(Schema):
    """An access token, and the refresh token that gets the next one (RFC 6749, section 5.1)."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a type, not a secret
    expires_in: int = Field(description="Seconds the access token lasts.")
    refresh_token: str
    scope: str


class ApiKeyCreate(RequestSchema):
    """A new API key."""

    name: Annotated[Text, StringConstraints(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=50, examples=[["models:read", "predict"]])]
    expires_at: Annotated[AwareDatetime, AfterValidator(_in_future)] | None = None


class ApiKeyRead(Read):
    """An API key, without its secret."""

    name: str
    prefix: str
    scopes: list[Scope]
    expires_at: datetime | None
    revoked_at: datetime | None
    created_by: UUID


class ApiKeyCreated(ApiKeyRead):
    """A new API key; `key` is shown this once."""

    key: str
