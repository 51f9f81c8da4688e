"""Authentication as a port: routes ask for a principal with a scope, and identity answers who that is."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from fastapi import Depends, Header, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer, OAuth2PasswordBearer

from argosy.kit import context
from argosy.kit.errors import Forbidden
from argosy.kit.principal import Principal, Scope

TOKEN_URL = "/api/v1/auth/token"  # noqa: S105 - a path
_bearer = HTTPBearer(auto_error=False, scheme_name="Bearer", description="An API key (`ak_…`) or an access token.")
_header = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="ApiKey", description="An API key (`ak_…`).")
_oauth2 = OAuth2PasswordBearer(tokenUrl=TOKEN_URL, auto_error=False, scheme_name="Password")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request brought to prove who sends it, and the organization it is about.

    A user acts in the organization named by `X-Organization`, else in the one of the path if a member, else in the
    personal one.
    """

    token: str | None
    organization: str | None
    path_organization: str | None = None


class Authenticator(Protocol):
    """Tells who a caller is."""

    async def authenticate(self, credentials: Credentials) -> Principal:
        """Return the principal; raises `Unauthenticated` when the credentials do not hold."""
        ...


async def current_principal(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    api_key: Annotated[str | None, Depends(_header)],
    _password: Annotated[str | None, Depends(_oauth2)],
    x_organization: Annotated[
        str | None, Header(max_length=63, description="Slug of the organization a user acts in.")
    ] = None,
) -> Principal:
    """Return who is calling."""
    authenticator: Authenticator = request.app.state.authenticator
    token = bearer.credentials if bearer else api_key
    path_organization = request.path_params.get("org")
    principal = await authenticator.authenticate(Credentials(token, x_organization, path_organization))
    context.identify(principal)
    return principal


def requires(scope: Scope) -> Callable[..., Coroutine[Any, Any, Principal]]:
    """Return a dependency that lets in callers who hold a scope."""

    async def check(principal: Annotated[Principal, Depends(current_principal)]) -> Principal:
        if not principal.may(scope):
            raise Forbidden(f"this needs the scope {scope}", required_scope=scope.value)
        return principal

    return check


Caller = Annotated[Principal, Depends(current_principal)]
