"""Authentication as a port: routes ask for a principal with a scope, and identity answers who that is."""

import base64
import binascii
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Protocol

from fastapi import Depends, Header, Request, Security
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBasic, HTTPBearer, OAuth2PasswordBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from argosy.kit import context
from argosy.kit.db.session import UnitOfWork
from argosy.kit.db.tenancy import SYSTEM, Actor
from argosy.kit.errors import Forbidden, Unauthenticated
from argosy.kit.policy import POLICY
from argosy.kit.principal import Principal, PrincipalKind, Scope
from argosy.kit.rates import Standing, TooManyRequests
from argosy.kit.web.cookies import COOKIE, require_own_page

TOKEN_URL = "/api/v1/auth/token"  # noqa: S105 - a path
PREDICT_TAG = "predict"
MAX_CREDENTIAL = 8192


class Scheme(StrEnum):
    """How a request says who sends it."""

    BEARER = "bearer"
    BASIC = "basic"
    COOKIE = "cookie"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request brought to prove who sends it, and the organization it is about.

    `secret` is the API key, token, password or cookie. A user acts in the organization named by `X-Organization`, else
    in the one of the path if a member, else in the personal one.
    """

    scheme: Scheme
    secret: str = field(repr=False)
    username: str | None = None
    organization: str | None = None
    path_organization: str | None = None
    address: str = ""


class Authenticator(Protocol):
    """Tells who a caller is."""

    async def authenticate(self, credentials: Credentials) -> Principal:
        """Return the principal; raises `Unauthenticated` when the credentials do not hold."""
        ...


class Documented(SecurityBase):
    """A way to authenticate as OpenAPI names it; reading it from the request is `read_credentials`'s."""

    def __init__(self, scheme: SecurityBase) -> None:
        self.model = scheme.model
        self.scheme_name = scheme.scheme_name

    async def __call__(self) -> None:
        """Do nothing: it documents."""


_SCHEMES = (
    HTTPBearer(scheme_name="Bearer", description="An API key (`ak_…`) or an access token."),
    APIKeyHeader(name="X-API-Key", scheme_name="ApiKey", description="An API key (`ak_…`)."),
    HTTPBasic(scheme_name="Basic", description="Username and password, or anything and an API key, for scripts."),
    APIKeyCookie(name=COOKIE, scheme_name="Session", description="A browser's session; see `POST /auth/login`."),
    OAuth2PasswordBearer(
        tokenUrl=TOKEN_URL,
        refreshUrl=TOKEN_URL,
        scheme_name="OAuth2",
        scopes={rule.scope.value: rule.description for rule in POLICY},
    ),
)
_bearer, _api_key, _basic, _cookie, _password = (Documented(scheme) for scheme in _SCHEMES)


def read_credentials(request: HTTPConnection, organization: str | None = None) -> Credentials | None:
    """Return what a request authenticates with: a header if there is one, else the cookie; never the URL.

    Raises `Unauthenticated` for an Authorization header that cannot be read.
    """
    header, api_key = request.headers.get("authorization"), request.headers.get("x-api-key")
    common = (organization, request.path_params.get("org"), context.address())
    if header is not None:
        return read_authorization(header, *common)
    if api_key:
        return Credentials(Scheme.BEARER, api_key.strip(), None, *common)
    cookie = request.cookies.get(COOKIE)
    return Credentials(Scheme.COOKIE, cookie, None, *common) if cookie else None


def read_authorization(
    header: str, organization: str | None, path_organization: str | None, address: str
) -> Credentials:
    """Return what an Authorization header says; raises `Unauthenticated` when it cannot be read."""
    common = (organization, path_organization, address)
    scheme, _, value = header.strip().partition(" ")
    if scheme.lower() == Scheme.BASIC:
        username, password = _basic_pair(value)
        return Credentials(Scheme.BASIC, password, username, *common)
    if scheme.lower() != Scheme.BEARER or not value.strip() or len(value) > MAX_CREDENTIAL:
        raise Unauthenticated("send 'Authorization: Bearer …' or 'Authorization: Basic …'")
    return Credentials(Scheme.BEARER, value.strip(), None, *common)


def _basic_pair(value: str) -> tuple[str, str]:
    try:
        pair = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Unauthenticated("the Basic credentials cannot be read") from error
    username, colon, password = pair.partition(":")
    if not colon or "\x00" in pair or len(pair) > MAX_CREDENTIAL:
        raise Unauthenticated("the Basic credentials cannot be read")
    return username, password


async def current_principal(
    request: Request,
    _one: Annotated[None, Depends(_bearer)],
    _two: Annotated[None, Depends(_api_key)],
    _three: Annotated[None, Depends(_basic)],
    _four: Annotated[None, Depends(_cookie)],
    _five: Annotated[None, Depends(_password)],
    x_organization: Annotated[
        str | None, Header(max_length=63, description="Slug of the organization a user acts in.")
    ] = None,
) -> Principal:
    """Return who is calling; from here on the request's sessions act for them."""
    known: Principal | None = getattr(request.state, "principal", None)
    if known is not None:  # asked with other scopes, FastAPI would ask again
        return known
    request.state.principal = principal = await authenticate(request, x_organization)
    work: UnitOfWork | None = getattr(request.state, "work", None)  # the data plane's routes have none
    if work is not None:
        await work.act_as(Actor.of(principal))
    return principal


async def identified(request: Request) -> Principal:
    """Return who sends a request that was let in before, as it is now; raises `Unauthenticated`."""
    authenticator: Authenticator = request.app.state.authenticator
    credentials = read_credentials(request, request.headers.get("x-organization"))
    if credentials is None:
        raise Unauthenticated
    return await authenticator.authenticate(credentials)


async def authenticate(request: Request, organization: str | None) -> Principal:
    """Return who is calling, counted against the limits of the caller; of its address when nobody is known."""
    state = request.app.state
    authenticator: Authenticator = state.authenticator
    try:
        credentials = read_credentials(request, organization)
        if credentials is None:
            raise Unauthenticated("send an API key or an access token as 'Authorization: Bearer …'")
        principal = await authenticator.authenticate(credentials)
    except Unauthenticated:
        request.state.standing = standing = await count_refused(request)
        standing.require("too many requests with credentials that do not hold")
        raise
    context.identify(principal)
    if credentials.scheme is Scheme.COOKIE:
        require_own_page(request, state.keys, credentials.secret)
    await _admit(request, principal)
    return principal


async def count_refused(connection: HTTPConnection) -> Standing:
    """Count credentials that do not hold, by the address they come from."""
    state = connection.app.state
    standing: Standing = await state.rates.hit(state.settings.rates.anonymous, "refused", context.address())
    return standing


async def _admit(request: Request, principal: Principal) -> None:
    rates, state = request.app.state.settings.rates, request.app.state
    predicts = PREDICT_TAG in getattr(request.scope.get("route"), "tags", ())
    limit, kind = (rates.predict, "predict") if predicts else (rates.caller, "caller")
    standing = await state.rates.hit(limit, kind, principal.kind, str(principal.id))
    request.state.standing = standing
    if not standing.admitted:
        raise TooManyRequests("you send more requests than you may; wait", headers=standing.headers)


class Requires:
    """Lets in callers who hold a scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, principal: Annotated[Principal, Depends(current_principal)]) -> Principal:
        """Return the caller; raises `Forbidden`."""
        if not principal.may(self.scope):
            raise Forbidden(f"this needs the scope {self.scope}", required_scope=self.scope.value)
        return principal


def requires(scope: Scope) -> Any:  # noqa: ANN401 - what FastAPI's own `Security` says it returns
    """Return a dependency that lets in callers who hold a scope, and says so in the OpenAPI document."""
    return Security(Requires(scope), scopes=[scope.value])


async def person(principal: Annotated[Principal, requires(Scope.ACCOUNT)]) -> Principal:
    """Let in people only: what concerns an account is not for keys and clients."""
    if principal.kind is not PrincipalKind.USER:
        raise Forbidden("only a person may do this, not an API key or a client")
    return principal


Caller = Annotated[Principal, Depends(current_principal)]
Person = Annotated[Principal, Depends(person)]


async def counted(request: Request) -> None:
    """Let in whoever asks: counted by address, also with credentials that nobody reads there.

    Nobody is known, so what the route does it does as the system.
    """
    await request.state.work.act_as(SYSTEM)
    if getattr(request.state, "standing", None) is None:
        state = request.app.state
        request.state.standing = standing = await state.rates.hit(
            state.settings.rates.anonymous, "anonymous", context.address()
        )
        standing.require("your address sends more requests than it may; wait")


async def as_system(request: Request, _principal: Annotated[Principal, Depends(current_principal)]) -> None:
    """Let a route of a known caller reach over organizations; whoever asks for it answers for the filter."""
    await request.state.work.act_as(SYSTEM)


Counted = Depends(counted)
AsSystem = Depends(as_system)
