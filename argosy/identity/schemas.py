"""Wire shapes of identity."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    EmailStr,
    Field,
    HttpUrl,
    IPvAnyNetwork,
    SecretStr,
    StringConstraints,
)

from argosy.identity.models import SessionKind
from argosy.kit.clock import now
from argosy.kit.principal import PrincipalKind, Scope
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


Code = Annotated[SecretStr, Field(min_length=10, max_length=100, description="As it was mailed; good once.")]
CredentialName = Annotated[Text, StringConstraints(min_length=1, max_length=100)]
Scopes = Annotated[list[Scope], Field(min_length=1, max_length=50, examples=[["models:read", "predict"]])]
FullModelName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9._-]+/[a-z0-9._-]+$", max_length=130), Field(examples=["ada/iris"])
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
    invitation: Code | None = Field(None, description="The code of an invitation that was sent to this address.")


class UserUpdate(RequestSchema):
    """What users may change of themselves."""

    full_name: FullName | None = None


class PasswordChange(RequestSchema):
    """A new password, by whoever knows the current one."""

    current_password: Password
    new_password: Password


class EmailChange(RequestSchema):
    """A new address, or the current one to have its code sent again; changes when the code comes back."""

    email: Email
    password: Password


class CodeUse(RequestSchema):
    """A code that came by mail."""

    code: Code


class ResetRequest(RequestSchema):
    """Whose password was forgotten: has a code mailed."""

    email: Email


class PasswordReset(RequestSchema):
    """A new password, by whoever reads the mailbox the code was sent to."""

    code: Code
    password: Password


class Login(RequestSchema):
    """Signing in with a browser."""

    username: Annotated[Text, Field(max_length=254, description="Username or e-mail.")]
    password: Password


class UserRead(Read):
    """A user."""

    email: str
    username: str
    full_name: str | None
    is_admin: bool
    email_verified_at: datetime | None
    revision: int


class Registered(UserRead):
    """A new user with the personal organization."""

    organization: OrganizationRef


class Me(UserRead):
    """Who is calling, and as what. A key or client is told who answers for it, not how to reach them."""

    email: str | None  # type: ignore[assignment] # narrower than what an account shows of itself
    full_name: str | None
    kind: PrincipalKind = Field(description="What the call came with.")
    organization: OrganizationRef = Field(description="The organization the call acts in.")
    scopes: list[Scope] = Field(description="What the call may do there.")


class BrowserSession(Schema):
    """A browser's sign-in; the cookie comes beside it."""

    user: UserRead
    csrf_token: str = Field(description="Send it as `X-CSRF-Token` with every call that changes something.")
    expires_at: datetime


class SessionRead(Read):
    """A sign-in of yours."""

    kind: SessionKind
    client_id: str | None
    address: str | None
    user_agent: str | None
    last_seen_at: datetime | None
    expires_at: datetime
    current: bool = Field(False, description="Whether this call came with it.")


class TokenRequest(Schema):
    """The form of the token endpoint (RFC 6749, sections 4 and 6); parameters it does not know are ignored."""

    grant_type: Annotated[str, Field(max_length=100)]
    username: Annotated[Text, Field(max_length=254)] | None = None
    password: Annotated[SecretStr, Field(max_length=MAX_PASSWORD)] | None = None
    refresh_token: Annotated[SecretStr, Field(max_length=200)] | None = None
    client_id: Annotated[Text, Field(max_length=100)] | None = None
    client_secret: Annotated[SecretStr, Field(max_length=200)] | None = None
    code: Annotated[SecretStr, Field(max_length=200)] | None = None
    code_verifier: Annotated[SecretStr, Field(max_length=128)] | None = None
    redirect_uri: Annotated[Text, Field(max_length=2000)] | None = None
    scope: Annotated[Text, Field(max_length=1000, description="Space-separated; all you may have if left out.")] = ""


class Token(Schema):
    """An access token, and for a person the refresh token that gets the next one (RFC 6749, section 5.1)."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a type, not a secret
    expires_in: int = Field(description="Seconds the access token lasts.")
    refresh_token: str | None = None
    scope: str


class TokenUse(Schema):
    """The form of revocation (RFC 7009) and introspection (RFC 7662)."""

    token: Annotated[SecretStr, Field(min_length=1, max_length=4096)]
    token_type_hint: Annotated[str, Field(max_length=100)] | None = None


class Introspection(Schema):
    """What a token is (RFC 7662, section 2.2); of a token that does not hold, only that."""

    active: bool
    scope: str | None = None
    client_id: str | None = None
    username: str | None = None
    token_type: str | None = None
    exp: int | None = None
    iat: int | None = None
    nbf: int | None = None
    sub: str | None = None
    aud: str | None = None
    iss: str | None = None
    jti: str | None = None
    org: UUID | None = None


class Authorization(RequestSchema):
    """What a client asks a person to allow (RFC 6749, section 4.1.1, with the challenge of RFC 7636)."""

    client_id: Annotated[Text, Field(max_length=100)]
    redirect_uri: Annotated[Text, Field(max_length=2000)]
    code_challenge: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
    code_challenge_method: Literal["S256"] = "S256"
    scope: Annotated[Text, Field(max_length=1000)]
    state: Annotated[Text, Field(max_length=1000)] | None = None


class Authorized(Schema):
    """Where to send the person's browser."""

    redirect_to: str


class JsonWebKeys(Schema):
    """The public keys that verify access tokens (RFC 7517)."""

    keys: list[dict[str, str]]


class Rotation(RequestSchema):
    """How a secret is replaced."""

    overlap_seconds: int = Field(3600, ge=0, le=30 * 86400, description="How long the former secret is good still.")


class ApiKeyCreate(RequestSchema):
    """A new API key."""

    name: CredentialName
    scopes: Scopes
    expires_at: Annotated[AwareDatetime, AfterValidator(_in_future)] | None = None
    models: Annotated[list[FullModelName], Field(max_length=100)] | None = Field(
        None, description="Only these models; all if left out."
    )
    networks: Annotated[list[IPvAnyNetwork], Field(max_length=50)] | None = Field(
        None, description="Only from these addresses or networks.", examples=[["203.0.113.0/24"]]
    )


class ApiKeyRead(Read):
    """An API key, without its secret."""

    name: str
    prefix: str
    suffix: str
    scopes: list[Scope]
    models: list[str] | None
    networks: list[str] | None
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    former_until: datetime | None = Field(description="Until when the secret before the last rotation is good.")
    created_by: UUID


class ApiKeyCreated(ApiKeyRead):
    """A new API key; `key` is shown this once."""

    key: str


class ClientCreate(RequestSchema):
    """A new OAuth2 client."""

    name: CredentialName
    scopes: Scopes
    redirect_uris: Annotated[list[HttpUrl], Field(max_length=10)] = Field(
        [], description="Where a person who allowed the client is sent, compared exactly."
    )


class ClientRead(Read):
    """An OAuth2 client, without its secret."""

    client_id: str
    name: str
    scopes: list[Scope]
    redirect_uris: list[str]
    revoked_at: datetime | None
    last_used_at: datetime | None
    former_until: datetime | None
    created_by: UUID


class ClientCreated(ClientRead):
    """A new OAuth2 client; `client_secret` is shown this once."""

    client_secret: str


class AccountUpdate(RequestSchema):
    """What platform administrators may change of an account."""

    is_active: bool | None = Field(None, description="False ends every sign-in and key at once.")
    is_admin: bool | None = None


class AccountRead(UserRead):
    """An account, as platform administrators see it."""

    is_active: bool
    failed_sign_ins: int
