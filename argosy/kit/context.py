"""The request's context, visible to logs and events without being passed around."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from argosy.kit.principal import Principal


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What is known of the request being handled; `address` is the client's, behind the proxies that are trusted.

    `told` are fields that its answer has beside its own.
    """

    request_id: str
    address: str | None = None
    user_agent: str | None = None
    principal: Principal | None = None
    told: dict[str, str] = field(default_factory=dict)


_context: ContextVar[RequestContext | None] = ContextVar("argosy_request_context", default=None)


def begin_request(request_id: str, address: str | None = None, user_agent: str | None = None) -> None:
    """Start the context of a request."""
    _context.set(RequestContext(request_id, address, user_agent))


def identify(principal: Principal) -> None:
    """Note who makes the current request."""
    context = _context.get()
    if context is not None:
        _context.set(replace(context, principal=principal))


def tell(fields: Mapping[str, str]) -> None:
    """Have the answer to the current request say something in its header."""
    context = _context.get()
    if context is not None:
        context.told.update(fields)


def told() -> Mapping[str, str]:
    """Return what the answer to the current request says beside its own fields."""
    context = _context.get()
    return context.told if context else {}


def current() -> RequestContext | None:
    """Return the context of the current request, or None outside of one."""
    return _context.get()


def request_id() -> str | None:
    """Return the current request's id, or None outside of one."""
    context = _context.get()
    return context.request_id if context else None


def address() -> str:
    """Return the address the current request came from; empty outside of one."""
    context = _context.get()
    return (context.address if context else None) or ""
