"""Authentication as a port: routes ask for a principal with a scope, and identity answers who that is."""

from functools import partial
from typing import Annotated, Any

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
from argosy.kit.web.cookies import COOKIE, require_own_page
from argosy.kit.web.entrance import Credentials, Entrance, Scheme, header_credentials, require_scope

TOKEN_URL = "/api/v1/auth/token"  # noqa: S105 - a path
PREDICT_TAGS = frozenset({"predict", "inference protocol"})


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
OrganizationHeader = Annotated[
    str | None, Header(max_length=63, description="Slug of the organization a user acts in.")
]
# What the document says of a route that takes credentials and does without.
FOR_ANYBODY: dict[str, Any] = {"security": [{}, *({scheme.scheme_name: []} for scheme in _SCHEMES[:-1])]}
_bearer, _api_key, _basic, _cookie, _password = (Documented(scheme) for scheme in _SCHEMES)


def security_schemes(*names: str) -> dict[str, Any]:
    """Return some of the ways to authenticate, as an OpenAPI document has them."""
    known = {scheme.scheme_name: scheme.model for scheme in _SCHEMES}
    return {name: known[name].model_dump(mode="json", by_alias=True, exclude_none=True) for name in names}


def read_credentials(request: HTTPConnection, organization: str | None = None) -> Credentials | None:
    """Return what a request authenticates with: a header if there is one, else the cookie; never the URL.

    Raises `Unauthenticated` for an Authorization header that cannot be read.
    """
    headers, org = request.headers, request.path_params.get("org")
    found = header_credentials(headers.get("authorization"), headers.get("x-api-key"), organization, org)
    cookie = request.cookies.get(COOKIE)
    if found is not None or cookie is None:
        return found
    return Credentials(Scheme.COOKIE, cookie, None, organization, org, context.address())


async def current_principal(
    request: Request,
    _one: Annotated[None, Depends(_bearer)],
    _two: Annotated[None, Depends(_api_key)],
    _three: Annotated[None, Depends(_basic)],
    _four: Annotated[None, Depends(_cookie)],
    _five: Annotated[None, Depends(_password)],
    x_organization: OrganizationHeader = None,
) -> Principal:
    """Return who is calling; from here on the request's sessions act for them."""
    return await _principal(request, x_organization)


async def _principal(request: Request, organization: str | None) -> Principal:
    asked: Principal | None = getattr(request.state, "principal", None)
    if asked is not None:  # asked with other scopes, FastAPI would ask again
        return asked
    request.state.principal = principal = await authenticate(request, organization)
    work: UnitOfWork | None = getattr(request.state, "work", None)  # the data plane's routes have none
    if work is not None:
        await work.act_as(Actor.of(principal))
    return principal


async def identified(request: Request) -> Principal:
    """Return who sends a request that was let in before, as it is now; raises `Unauthenticated`."""
    entrance: Entrance = request.app.state.entrance
    return await entrance.identify(read_credentials(request, request.headers.get("x-organization")))


async def authenticate(request: Request, organization: str | None) -> Principal:
    """Return who is calling, counted against the limits of the caller; of its address when nobody is known."""
    entrance: Entrance = request.app.state.entrance
    note = partial(setattr, request.state, "standing")
    try:
        credentials = read_credentials(request, organization)
        principal = await entrance.identify(credentials)
    except Unauthenticated:
        await entrance.refused(note)
        raise
    context.identify(principal)
    if credentials is not None and credentials.scheme is Scheme.COOKIE:
        require_own_page(request, request.app.state.keys, credentials.secret)
    predicts = not PREDICT_TAGS.isdisjoint(getattr(request.scope.get("route"), "tags", ()))
    await entrance.admit(principal, note, predicts=predicts)
    return principal


class Requires:
    """Lets in callers who hold a scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, principal: Annotated[Principal, Depends(current_principal)]) -> Principal:
        """Return the caller; raises `Forbidden`."""
        require_scope(principal, self.scope)
        return principal


def requires(scope: Scope) -> Any:  # noqa: ANN401 - what FastAPI's own `Security` says it returns
    """Return a dependency that lets in callers who hold a scope, and says so in the OpenAPI document."""
    return Security(Requires(scope), scopes=[scope.value])


class Known:
    """Lets in anybody, and knows callers who hold a scope; without it a caller sees what anybody does."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request, x_organization: OrganizationHeader = None) -> Principal | None:
        """Return the caller, or None; raises `Unauthenticated` for credentials that do not hold."""
        if read_credentials(request, x_organization) is None:
            return None  # counted by its address before it came here
        principal = await _principal(request, x_organization)
        return principal if principal.may(self.scope) else None


def known(scope: Scope) -> Any:  # noqa: ANN401 - what FastAPI's own `Depends` says it returns
    """Return a dependency for a route that anybody may ask, which knows callers who hold a scope."""
    return Depends(Known(scope))


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
        entrance: Entrance = request.app.state.entrance
        await entrance.count_stranger(partial(setattr, request.state, "standing"))


async def as_system(request: Request, _principal: Annotated[Principal, Depends(current_principal)]) -> None:
    """Let a route of a known caller reach over organizations; whoever asks for it answers for the filter."""
    await request.state.work.act_as(SYSTEM)


Counted = Depends(counted)
AsSystem = Depends(as_system)
