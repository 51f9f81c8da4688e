"""Who is on a connection and which version answers; looked at again whenever either may have changed."""

import asyncio
from dataclasses import dataclass

from fastapi import WebSocket, WebSocketDisconnect

from argosy.events.freshness import Belief, Freshness
from argosy.kit import context
from argosy.kit.errors import Forbidden, NotFound, Unauthenticated
from argosy.kit.principal import Principal, Scope
from argosy.kit.web.cookies import require_own_origin
from argosy.kit.web.entrance import Credentials, Entrance, Scheme, header_credentials, require_scope
from argosy.kit.web.security import read_credentials
from argosy.serving.service import ServingService
from argosy.serving.target import Target
from argosy.signature.errors import InvalidInput
from argosy.signature.parse import strict_json

FIRST_MESSAGE_SECONDS = 10.0
LOST = (Unauthenticated, Forbidden, NotFound)
FIRST_MESSAGE = 'send credentials in a header, or {"authorization": "Bearer …"} as the first message'


class Closing(Exception):
    """The connection cannot go on; said with a close code of the protocol's own (RFC 6455, section 7.4.1)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Asked:
    """The model that the URL names, and which version of it."""

    org: str
    name: str
    version: int | None
    alias: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """What was looked up, and until when it is believed."""

    principal: Principal
    target: Target
    belief: Belief


class Access:
    """One caller on one model. What is `LOST` when it is looked at again ends the connection."""

    def __init__(self, socket: WebSocket, asked: Asked, credentials: Credentials) -> None:
        self._state = socket.app.state
        self._freshness: Freshness = self._state.fast.freshness
        self._asked = asked
        self._credentials = credentials
        self._looking = asyncio.Lock()
        self._known: Known | None = None

    async def fresh(self) -> tuple[Principal, Target]:
        """Return who calls and what answers, as it is now."""
        known = self._known
        if not self._holds(known):
            async with self._looking:
                known = self._known
                if not self._holds(known):
                    known = self._known = await self._look()
        assert known is not None  # noqa: S101 - what holds is known
        return known.principal, known.target

    async def count(self, principal: Principal) -> None:
        """Count a request of the caller; raises `TooManyRequests`."""
        entrance: Entrance = self._state.entrance
        await entrance.admit(principal, predicts=True)

    def _holds(self, known: Known | None) -> bool:
        return known is not None and self._freshness.holds(known.belief)

    async def _look(self) -> Known:
        asked = self._asked
        belief = self._freshness.belief(f"{asked.org}/{asked.name}")
        entrance: Entrance = self._state.entrance
        principal = await entrance.identify(self._credentials)
        context.identify(principal)
        require_scope(principal, Scope.PREDICT)
        serving: ServingService = self._state.serving
        target = await serving.resolve(principal, asked.org, asked.name, asked.version, asked.alias)
        return Known(principal, target, belief)


async def admitted(socket: WebSocket, asked: Asked) -> Access:
    """Return the access of whoever opened a connection; raises what `Access.fresh` raises."""
    try:
        credentials = read_credentials(socket, socket.headers.get("x-organization"))
        if credentials is None:
            credentials = await _first_message(socket)
        elif credentials.scheme is Scheme.COOKIE:
            require_own_origin(socket)
        access = Access(socket, asked, credentials)
        principal, _ = await access.fresh()
    except Unauthenticated:
        entrance: Entrance = socket.app.state.entrance
        await entrance.refused()
        raise
    await access.count(principal)
    return access


async def _first_message(socket: WebSocket) -> Credentials:
    """Read credentials from the first frame: a page cannot give a WebSocket a header."""
    try:
        async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
            message = await socket.receive()
    except TimeoutError as error:
        raise Unauthenticated(f"no credentials came within {FIRST_MESSAGE_SECONDS:g} seconds") from error
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    try:
        given = strict_json((message.get("text") or "").encode())
    except InvalidInput as error:
        raise Unauthenticated(FIRST_MESSAGE) from error
    header = given.get("authorization") if isinstance(given, dict) and len(given) == 1 else None
    if not isinstance(header, str):
        raise Unauthenticated(FIRST_MESSAGE)
    found = header_credentials(header, None, None, socket.path_params.get("org"))
    assert found is not None  # noqa: S101 - a header was given
    return found
