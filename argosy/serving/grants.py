"""What lets a caller use another organization's private model, and counts it: the port; entitlements implement it.

A target that the caller may see anyhow has no grant, and pays one comparison with None for all of this.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from argosy.kit import context
from argosy.kit.db.session import ReadSession
from argosy.kit.principal import Principal
from argosy.kit.rates import TooManyRequests


class Spent(Protocol):
    """What one call has taken of a quota: it is kept, or given back when the call does not succeed."""

    @property
    def product_id(self) -> UUID | None:
        """The product that was used."""
        ...

    @property
    def order_item_id(self) -> UUID | None:
        """The item of an order whose quota it was; None where it was granted without an order."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The fields that tell what is left."""
        ...

    def keep(self) -> None:
        """Count the call for good."""
        ...

    def give_back(self) -> None:
        """Count it as never made, unless it was kept."""
        ...


class Grant(Protocol):
    """What a caller may use of one model."""

    @property
    def product_id(self) -> UUID | None:
        """The product that is used next: a call that fails counts under it, though it takes nothing of it."""
        ...

    def take(self, calls: int, rows: int) -> Spent | TooManyRequests | None:
        """Take from what this process holds; the refusal, where that is known, or None: it has to be acquired.

        A refusal, here and below, knows the product whose plan refused.
        """
        ...

    async def acquire(self, calls: int, rows: int, *, patiently: bool = False) -> Spent:
        """Take; `patiently` waits while it is only the rate that does not allow it.

        Raises `QuotaExceeded`, `TooManyRequests`, or `ModelNotFound` when the grant has ended.
        """
        ...


@dataclass(frozen=True, slots=True)
class Covered:
    """A model that a caller may use, and the alias that answers."""

    model_id: UUID
    alias: str


class Grants(Protocol):
    """Knows who may use what."""

    async def find(self, session: ReadSession, principal: Principal, org: str, name: str, alias: str) -> Grant | None:
        """Return what lets a caller use a model by an alias; the session is the system's."""
        ...

    async def covered(self, session: ReadSession, principal: Principal) -> Sequence[Covered]:
        """Return all that a caller is granted; the session is the system's."""
        ...


@asynccontextmanager
async def spending(
    grant: Grant | None, calls: int, rows: int, *, patiently: bool = False
) -> AsyncIterator[Spent | None]:
    """Take for what is done within; give it back if that does not succeed. Raises what `Grant.acquire` raises."""
    if grant is None:
        yield None
        return
    spent = await grant.acquire(calls, rows, patiently=patiently)
    try:
        yield spent
    except BaseException:
        spent.give_back()
        raise
    spent.keep()
    context.tell(spent.headers)


def settling(spent: Spent, deliver: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """Return what delivers an answer and counts it, or an error and gives back what the call took."""

    def settle(call: object, result: object) -> None:
        if isinstance(result, Exception):
            spent.give_back()
        else:
            spent.keep()
        deliver(call, result)

    return settle
