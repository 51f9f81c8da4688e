"""Requests the server makes to addresses that users or operators name, kept from reaching what they must not (SSRF).

The name is resolved once, every address it has is checked, and the connection goes to a checked address: a name that
answers differently the second time (DNS rebinding) gains nothing. Redirects are not followed, environment proxies are
not used, no cookie is kept, and an answer is bounded in size and time (OWASP API7 and API10; ASVS 5 V1.3.6, V15.3.2).
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

import httpcore2
from httpcore2 import AnyIOBackend, AsyncNetworkBackend, AsyncNetworkStream

from argosy.kit.errors import ArgosyError, Invalid

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 10.0
MAX_ANSWER = 2**20
KEPT_SECONDS = 30.0
MAX_URL = 2048
_NAT64 = IPv6Network("64:ff9b::/96")
_UNICAST = IPv6Network("2000::/3")
Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Awaitable[list[str]]]


class TargetRefused(Invalid):
    """The server does not call this address."""

    type, title = "target-refused", "Address not allowed"


class RemoteFailed(ArgosyError):
    """The other server did not answer as it should."""

    status, type, title = 502, "remote-failed", "The other server failed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What another server answered; the content is whole and bounded."""

    status: int
    headers: Mapping[str, str]
    content: bytes


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the open internet, also when it wraps another (RFC 6890, 4291, 6052, 3056)."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not address.is_reserved
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address.sixtofour is not None:
        return is_public(address.sixtofour)
    return address.teredo is None and address.scope_id is None and address in _UNICAST and address.is_global


class Targets:
    """Which addresses may be called: the open internet's, and those an operator names."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._networks = []
        self._names = set()
        for entry in allowed:
            try:
                self._networks.append(ip_network(entry))
            except ValueError:
                self._names.add(entry.lower())

    def is_named(self, host: str) -> bool:
        """Tell whether an operator allowed a host by name."""
        return host.lower().rstrip(".") in self._names

    def permits(self, host: str, address: str) -> bool:
        """Tell whether a host may be called at an address."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return self.is_private_but_allowed(host, parsed) or is_public(parsed)

    def is_private_but_allowed(self, host: str, address: Address) -> bool:
        """Tell whether an operator allowed an address, or the host that has it."""
        return self.is_named(host) or any(address in network for network in self._networks)


async def resolve(host: str, port: int) -> list[str]:
    """Return every address of a host."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


class CheckedBackend(AsyncNetworkBackend):
    """Connects to an address that was checked, never to a name."""

    def __init__(self, targets: Targets, resolver: Resolver) -> None:
        self._targets = targets
        self._resolver = resolver
        self._inner = AnyIOBackend()

    async def addresses(self, host: str, port: int) -> list[str]:
        """Return a host's addresses; raises `TargetRefused` unless every one may be called."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                found = await self._resolver(host.strip("[]"), port)
        except (OSError, TimeoutError, UnicodeError) as error:
            raise TargetRefused("the address cannot be found, or is not allowed") from error
        if not found or not all(self._targets.permits(host, address) for address in found):
            raise TargetRefused("the address cannot be found, or is not allowed")
        return found

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Connect to one of a host's checked addresses."""
        failure: Exception = httpcore2.ConnectError("no address answered")
        for address in await self.addresses(host, port):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


@cache
def system_trust() -> ssl.SSLContext:
    """Whom the system trusts, which takes some 30 milliseconds to read."""
    return ssl.create_default_context()


class Outgoing:
    """Makes requests to other servers."""

    def __init__(
        self, allowed: Iterable[str], *, resolver: Resolver = resolve, tls: ssl.SSLContext | None = None
    ) -> None:
        self._targets = Targets(allowed)
        self._backend = CheckedBackend(self._targets, resolver)
        self._tls = tls or system_trust()

    async def check(self, url: str) -> None:
        """Raise `TargetRefused` for a URL that would not be called; ask before one is stored."""
        parts = self._parse(url)
        await self._require_addresses(parts)

    def pool(self, connections: int) -> httpcore2.AsyncConnectionPool:
        """Return connections to keep, for a URL that passed `check`; each new one goes to a checked address too."""
        return httpcore2.AsyncConnectionPool(
            ssl_context=self._tls,
            network_backend=self._backend,
            max_connections=connections,
            keepalive_expiry=KEPT_SECONDS,
        )

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> Answer:
        """Make a request; raises `TargetRefused` or `RemoteFailed`."""
        parts = self._parse(url)
        await self._require_addresses(parts)
        # Encoded answers could be far larger than they arrive.
        sent: dict[bytes | str, bytes | str] = {"Host": parts.netloc, "Accept-Encoding": "identity"}
        sent |= {name: value for name, value in (headers or {}).items()}  # noqa: C416 - dict() keeps narrower types
        if content or method != "GET":
            sent["Content-Length"] = str(len(content))
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), CONNECT_SECONDS)
        try:
            async with (
                asyncio.timeout(TOTAL_SECONDS),
                httpcore2.AsyncConnectionPool(ssl_context=self._tls, network_backend=self._backend) as pool,
                pool.stream(method, url, headers=sent, content=content, extensions={"timeout": timeouts}) as response,
            ):
                return await _read(response)
        except (TimeoutError, OSError, httpcore2.TimeoutException, httpcore2.NetworkError) as error:
            raise RemoteFailed("the other server could not be reached in time") from error
        except httpcore2.ProtocolError as error:
            raise RemoteFailed("the other server's answer cannot be read") from error

    def _parse(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            host = parts.hostname
            parts.port  # noqa: B018 - a port that is no number raises
        except ValueError as error:
            raise TargetRefused("the URL cannot be read") from error
        plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url and len(url) <= MAX_URL
        if not plain or not host or parts.username is not None or parts.password is not None or "%" in parts.netloc:
            raise TargetRefused("the URL cannot be read, or holds what it must not")
        if parts.scheme not in {"https", "http"}:
            raise TargetRefused("the URL must begin with https://")
        return parts

    async def _require_addresses(self, parts: SplitResult) -> None:
        host = parts.hostname or ""
        found = await self._backend.addresses(host, parts.port or (443 if parts.scheme == "https" else 80))
        allowed = all(self._targets.is_private_but_allowed(host, ip_address(address)) for address in found)
        if parts.scheme == "http" and not allowed:
            raise TargetRefused("the URL must begin with https://")


async def _read(response: httpcore2.Response) -> Answer:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    if headers.get("content-encoding", "identity") != "identity":
        raise RemoteFailed("the other server's answer is encoded, which was not asked for")
    content = bytearray()
    async for chunk in response.aiter_stream():
        content += chunk
        if len(content) > MAX_ANSWER:
            raise RemoteFailed(f"the other server's answer is larger than {MAX_ANSWER} bytes")
    return Answer(response.status, headers, bytes(content))
