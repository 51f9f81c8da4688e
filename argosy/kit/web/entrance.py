"""Who is let in, and how often, whatever protocol they speak: routes and gRPC calls ask here."""

import asyncio
import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from argosy.kit import context
from argosy.kit.errors import Forbidden, Unauthenticated
from argosy.kit.principal import Principal, Scope
from argosy.kit.rates import RateLimiter, Standing, TooManyRequests
from argosy.settings import RatesSettings

MAX_CREDENTIAL = 8192


Note = Callable[[Standing], None]


def ignored(_: Standing) -> None:
    """Tell nobody where a caller stands."""


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


def header_credentials(
    authorization: str | None, api_key: str | None, organization: str | None, path_organization: str | None
) -> Credentials | None:
    """Return what the header `Authorization`, or else `X-API-Key`, says; None without either.

    Raises `Unauthenticated` for an Authorization header that cannot be read.
    """
    common = (organization, path_organization, context.address())
    if authorization is not None:
        scheme, _, value = authorization.strip().partition(" ")
        if scheme.lower() == Scheme.BASIC:
            username, password = _basic_pair(value)
            return Credentials(Scheme.BASIC, password, username, *common)
        if scheme.lower() != Scheme.BEARER or not value.strip() or len(value) > MAX_CREDENTIAL:
            raise Unauthenticated("send 'Authorization: Bearer …' or 'Authorization: Basic …'")
        return Credentials(Scheme.BEARER, value.strip(), None, *common)
    return Credentials(Scheme.BEARER, api_key.strip(), None, *common) if api_key else None


def _basic_pair(value: str) -> tuple[str, str]:
    try:
        pair = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Unauthenticated("the Basic credentials cannot be read") from error
    username, colon, password = pair.partition(":")
    if not colon or "\x00" in pair or len(pair) > MAX_CREDENTIAL:
        raise Unauthenticated("the Basic credentials cannot be read")
    return username, password


def require_scope(principal: Principal, scope: Scope) -> None:
    """Raise `Forbidden` for a caller who does not hold a scope."""
    if not principal.may(scope):
        raise Forbidden(f"this needs the scope {scope}", required_scope=scope.value)


class Entrance:
    """Lets callers in. `note` is called with where they stand, which their answer tells."""

    def __init__(self, authenticator: Authenticator, rates: RateLimiter, limits: RatesSettings) -> None:
        self._authenticator = authenticator
        self._rates = rates
        self._limits = limits

    async def count_stranger(self, note: Note) -> None:
        """Count a request without credentials by its address; raises `TooManyRequests`."""
        standing = await self._rates.hit(self._limits.anonymous, "anonymous", context.address())
        note(standing)
        standing.require("your address sends more requests than it may; wait")

    async def identify(self, credentials: Credentials | None) -> Principal:
        """Return who brought credentials, as they are now; raises `Unauthenticated`."""
        if credentials is None:
            raise Unauthenticated("send an API key or an access token as 'Authorization: Bearer …'")
        return await self._authenticator.authenticate(credentials)

    async def refused(self, note: Note = ignored) -> None:
        """Count, by its address, a request whose credentials do not hold; raises `TooManyRequests`."""
        standing = await self._rates.hit(self._limits.anonymous, "refused", context.address())
        note(standing)
        standing.require("too many requests with credentials that do not hold")

    async def admit(self, principal: Principal, note: Note = ignored, *, predicts: bool) -> None:
        """Count a request of a known caller; raises `TooManyRequests`."""
        limit, kind = (self._limits.predict, "predict") if predicts else (self._limits.caller, "caller")
        standing = await self._rates.hit(limit, kind, principal.kind, str(principal.id))
        note(standing)
        if not standing.admitted:
            raise TooManyRequests("you send more requests than you may; wait", headers=standing.headers)

    async def wait(self, principal: Principal, predictions: int) -> None:
        """Count predictions of a stream; wait while there are more than the limit allows."""
        limit = self._limits.predict
        while True:
            cost = min(predictions, limit)
            standing = await self._rates.hit(limit, "predict", principal.kind, str(principal.id), cost=cost)
            if standing.admitted:
                return
            await asyncio.sleep(standing.reset)
