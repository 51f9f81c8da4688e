"""Who makes a gRPC call: its metadata, its address, and the principal that they stand for."""

import asyncio
from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import unquote

from starlette.types import Receive, Send
from starlette.types import Scope as ConnectionScope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from argosy.kit import context
from argosy.kit.errors import Unauthenticated
from argosy.kit.principal import Principal, Scope
from argosy.kit.rates import Standing
from argosy.kit.web.entrance import Entrance, header_credentials, require_scope

CREDENTIALS = ("authorization", "x-api-key")
FORWARDED = ("x-forwarded-for", "x-forwarded-proto")
MOST_ORGANIZATIONS = 100


class Addresses:
    """Tells where calls come from, behind the proxies that are believed: by the rule that HTTP has."""

    def __init__(self, proxies: list[str]) -> None:
        self._rule = ProxyHeadersMiddleware(_nothing, trusted_hosts=proxies)  # type: ignore[arg-type]

    async def of(self, peer: str, metadata: Mapping[str, str]) -> str:
        """Return the address of a call; `peer` is as gRPC writes it, `ipv4:127.0.0.1:5000`."""
        kind, _, where = peer.partition(":")
        host = unquote(where).rpartition(":")[0].strip("[]") if kind in {"ipv4", "ipv6"} else ""
        headers = [(name.encode(), metadata[name].encode()) for name in FORWARDED if name in metadata]
        scope: MutableMapping[str, Any] = {"type": "http", "scheme": "http", "client": (host, 0), "headers": headers}
        await self._rule(scope, _nothing, _nothing)  # type: ignore[arg-type]
        address: str = scope["client"][0]
        return address


class Visit:
    """One call's caller. A user acts in the organization of the model's name if a member, as over HTTP."""

    def __init__(self, entrance: Entrance, metadata: Mapping[str, str]) -> None:
        self.standing: Standing | None = None
        self._entrance = entrance
        self._metadata = metadata
        self._known: dict[str | None, Principal] = {}

    async def arrive(self) -> None:
        """Count a call without credentials; raises `TooManyRequests`."""
        if not any(name in self._metadata for name in CREDENTIALS):
            await self._entrance.count_stranger(self._note)

    async def enter(self, organization: str | None) -> Principal:
        """Return who calls, who may predict; counted as a prediction.

        Raises `Unauthenticated`, `Forbidden`, `TooManyRequests` and `OrganizationNotFound`.
        """
        try:
            principal = await self.principal(organization)
        except Unauthenticated:
            await self._entrance.refused(self._note)
            raise
        await self._entrance.admit(principal, self._note, predicts=True)
        require_scope(principal, Scope.PREDICT)
        return principal

    async def principal(self, organization: str | None) -> Principal:
        """Return who calls about an organization's model; asked once until `forget`."""
        found = self._known.get(organization)
        if found is None:
            given = self._metadata.get
            asked = given("x-organization")
            credentials = header_credentials(given("authorization"), given("x-api-key"), asked, organization)
            # A call may be cancelled at any time, and a connection to the database must not be with it.
            found = await asyncio.shield(self._entrance.identify(credentials))
            context.identify(found)
            if len(self._known) >= MOST_ORGANIZATIONS:
                self._known.clear()
            self._known[organization] = found
        return found

    async def wait(self, principal: Principal) -> None:
        """Count a prediction of a stream that was let in; wait while there are more than the limit allows."""
        await self._entrance.wait(principal, 1)

    def forget(self) -> None:
        """Ask again who calls."""
        self._known.clear()

    def _note(self, standing: Standing) -> None:
        self.standing = standing


async def _nothing(*_: ConnectionScope | Receive | Send) -> None: ...
