"""Pure ASGI middleware at the door: which names are answered to, and how often strangers may ask."""

from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from argosy.kit import context
from argosy.kit.errors import ArgosyError
from argosy.kit.rates import RateLimiter, Standing
from argosy.kit.web.cookies import COOKIE
from argosy.kit.web.problems import problem
from argosy.settings import Settings

UNCOUNTED = frozenset({"/healthz", "/readyz"})


class Misdirected(ArgosyError):
    """The server does not answer to this name (RFC 9110, section 15.5.20)."""

    status, type, title = 421, "misdirected-request", "Not served here"


class Hosts:
    """The names that are answered to.

    An address is always one: a page cannot make a browser send one it did not ask for, which is what DNS rebinding
    takes.
    """

    def __init__(self, settings: Settings) -> None:
        public = [settings.public.url.host] if settings.public.url and settings.public.url.host else []
        self._names = frozenset(name.lower() for name in (*settings.network.hosts, *public)) | {"localhost"}

    def are_ours(self, host: str) -> bool:
        """Tell whether a `Host` is one of this server's."""
        name = host.lower()
        name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
        if name.rstrip(".") in self._names:
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True


class HostMiddleware:
    """Answers only to names it is known by, so that no link or cache is made for another."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] in {"http", "websocket"}:
            hosts = Headers(scope=scope).getlist("host")
            if len(hosts) != 1 or not self._hosts.are_ours(hosts[0]):
                await problem(Misdirected("the Host is not one of this server"), scope["path"])(scope, receive, send)
                return
        await self._app(scope, receive, send)


class RateLimitMiddleware:
    """Counts requests without credentials by address, and tells every caller where it stands.

    Requests with credentials are counted where the caller is known.
    """

    def __init__(self, app: ASGIApp, rates: RateLimiter, limit: int) -> None:
        self._app = app
        self._rates = rates
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or one WebSocket."""
        if scope["type"] not in {"http", "websocket"} or scope["path"] in UNCOUNTED:
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def answer(message: Message) -> None:
            standing: Standing | None = state.get("standing")
            if message["type"] == "http.response.start" and standing is not None:
                headers = MutableHeaders(scope=message)
                for name, value in standing.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        if not _has_credentials(scope):
            state["standing"] = standing = await self._rates.hit(self._limit, "anonymous", context.address())
            try:
                standing.require("your address sends more requests than it may; wait")
            except ArgosyError as error:
                await problem(error, scope["path"])(scope, receive, send)
                return
        await self._app(scope, receive, answer)


def _has_credentials(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    if "authorization" in headers or "x-api-key" in headers:
        return True
    try:
        return COOKIE in SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return False
