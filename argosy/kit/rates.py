"""Limits on how often: the port that counts, and where a caller stands."""

from dataclasses import dataclass
from typing import ClassVar, Protocol
from uuid import UUID

from argosy.kit.errors import ArgosyError

MINUTE = 60


class TooManyRequests(ArgosyError):
    """More requests than the limit allows (RFC 6585, section 4)."""

    status, type, title = 429, "too-many-requests", "Too many requests"
    product_id: UUID | None = None  # whose plan has the limit; None: it is the caller's own

    @property
    def retry_after(self) -> int:
        """After how many seconds it is right to come again."""
        return int(self.headers["Retry-After"])


@dataclass(slots=True)
class Standing:
    """Where a caller is against a limit: requests allowed a minute, how many are left, seconds until all are again."""

    HEADERS: ClassVar[tuple[str, ...]] = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")

    admitted: bool
    limit: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        """The `RateLimit-*` fields (draft-ietf-httpapi-ratelimit-headers-07), and when to come back."""
        values = (self.limit, self.remaining, self.reset)
        told = {name: str(value) for name, value in zip(self.HEADERS, values, strict=True)}
        return told if self.admitted else told | {"Retry-After": str(self.reset)}

    def require(self, detail: str = "wait before you try again") -> None:
        """Raise `TooManyRequests` when the request was not admitted."""
        if not self.admitted:
            raise TooManyRequests(detail, headers=self.headers)


class RateLimiter(Protocol):
    """Counts by name; exact under concurrency."""

    async def hit(self, limit: int, *name: str, cost: int = 1, seconds: int = MINUTE) -> Standing:
        """Count one request, or as many at once as it costs, in windows of a minute, or of so many seconds."""
        ...

    async def attempt(self, limit: int, *name: str) -> Standing:
        """Count one attempt in a window that moves: at no time more than the limit within a minute."""
        ...

    async def forgive(self, limit: int, *name: str) -> None:
        """Forget the attempts of a name."""
        ...
