"""Routes of signing in with another provider, for browsers."""

import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Annotated

from cryptography.fernet import InvalidToken
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.responses import RedirectResponse

from argosy.identity.dependencies import Accounts, Sessions
from argosy.identity.errors import NotLinked, ProviderFailed, ProviderNotFound, RegistrationClosed, SignInExpired
from argosy.identity.federation import federate
from argosy.identity.oidc import IdClaims, OidcClient
from argosy.kit.crypto import KeyRing
from argosy.kit.outgoing import TargetRefused
from argosy.kit.web.cookies import COOKIE, set_cookie
from argosy.kit.web.openapi import PUBLIC, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import Counted
from argosy.kit.web.sessions import Write

FLOW_COOKIE = "__Host-argosy-oidc"
FLOW_SECONDS = 600
_PURPOSE = "oidc-flow"
# A path on this host: one that begins with two slashes, of either kind, names another.
LOCAL_PATH = r"^/(?:[\x21-\x2e\x30-\x5b\x5d-\x7e][\x21-\x5b\x5d-\x7e]*)?$"
router = APIRouter(
    prefix="/auth/oidc",
    tags=["auth"],
    route_class=TransactionalRoute,
    responses=PUBLIC | problems(ProviderNotFound, ProviderFailed, TargetRefused),
    dependencies=[Counted],
)
Name = Annotated[str, Path(max_length=32, pattern=r"^[a-z0-9-]+$")]


@dataclass(frozen=True, slots=True)
class Flow:
    """What a browser has to bring back, in a cookie that nobody else can make or read."""

    provider: str
    state: str
    nonce: str
    verifier: str
    then: str

    def seal(self, keys: KeyRing) -> str:
        """Return the cookie's value."""
        content = json.dumps([self.provider, self.state, self.nonce, self.verifier, self.then])
        return keys.cipher(_PURPOSE).encrypt(content.encode()).decode()

    @classmethod
    def open(cls, value: str, keys: KeyRing) -> "Flow":
        """Read the cookie; raises `SignInExpired`."""
        try:
            return cls(*json.loads(keys.cipher(_PURPOSE).decrypt(value.encode(), ttl=FLOW_SECONDS)))
        except (InvalidToken, ValueError, TypeError) as error:
            raise SignInExpired("begin again: the sign-in took too long, or did not begin in this browser") from error


def _client(request: Request, provider: str) -> OidcClient:
    clients: dict[str, OidcClient] = request.app.state.oidc
    if provider not in clients:
        raise ProviderNotFound
    return clients[provider]


def _callback_url(request: Request, provider: str) -> str:
    public = request.app.state.settings.public.url
    base = str(public).rstrip("/") if public else f"{request.url.scheme}://{request.url.netloc}"
    return f"{base}/api/v1/auth/oidc/{provider}/callback"


@router.get("/{provider}", status_code=303, response_class=RedirectResponse)
async def start_provider_sign_in(
    provider: Name,
    request: Request,
    then: Annotated[str, Query(max_length=500, pattern=LOCAL_PATH, description="Path to go to after.")] = "/docs",
) -> RedirectResponse:
    """Send a browser to a provider to sign in there."""
    client = _client(request, provider)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    flow = Flow(provider, state, nonce, verifier, then)
    callback = _callback_url(request, provider)
    response = RedirectResponse(
        await client.authorization_url(callback, flow.state, flow.nonce, flow.verifier), status_code=303
    )
    sealed = flow.seal(request.app.state.keys)
    # Lax, as the provider's redirect is a navigation from another site.
    response.set_cookie(FLOW_COOKIE, sealed, max_age=FLOW_SECONDS, path="/", secure=True, httponly=True, samesite="lax")
    return response


@dataclass(frozen=True, slots=True)
class Arrival:
    """A person whom a provider has identified, and where they were going."""

    claims: IdClaims
    then: str


async def arrival(
    provider: Name,
    request: Request,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str | None, Query(max_length=2000)] = None,
    error: Annotated[str | None, Query(max_length=200)] = None,
) -> Arrival:
    """Ask the provider who came back; before any transaction, as it can take seconds."""
    client = _client(request, provider)
    flow = Flow.open(request.cookies.get(FLOW_COOKIE, ""), request.app.state.keys)
    if flow.provider != provider or not hmac.compare_digest(flow.state.encode(), state.encode()):
        raise SignInExpired("begin again: the answer is not for this sign-in")
    if error is not None or code is None:
        raise ProviderFailed("the provider did not let you in")
    claims = await client.identify(code, _callback_url(request, provider), flow.verifier, flow.nonce)
    return Arrival(claims, flow.then)


@router.get(
    "/{provider}/callback",
    status_code=303,
    response_class=RedirectResponse,
    responses=problems(SignInExpired, NotLinked, RegistrationClosed),
)
async def finish_provider_sign_in(
    provider: Name,
    arrived: Annotated[Arrival, Depends(arrival)],
    session: Write,
    accounts: Accounts,
    sessions: Sessions,
    request: Request,
) -> Response:
    """Take a browser back from a provider and give it a session."""
    policy = request.app.state.settings.registration
    user = await federate(session, accounts, arrived.claims, provider, policy)
    row, cookie = await sessions.open_for_browser(user, request.cookies.get(COOKIE))
    response = RedirectResponse(arrived.then, status_code=303)
    set_cookie(response, cookie, int((row.expires_at - row.created_at).total_seconds()))
    response.delete_cookie(FLOW_COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return response
