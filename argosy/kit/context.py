"""The request's context, visible to logs and events without being passed around."""

from contextvars import ContextVar
from dataclasses import dataclass, replace

from argosy.kit.principal import Principal


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What is known of the request being handled."""

    request_id: str
    principal: Principal | None = None


_context: ContextVar[RequestContext | None] = ContextVar("argosy_request_context", default=None)


def begin_request(request_id: str) -> None:
    """Start the context of a request."""
    _context.set(RequestContext(request_id))


def identify(principal: Principal) -> None:
    """Note who makes the current request."""
    context = _context.get()
    if context is not None:
        _context.set(replace(context, principal=principal))


def current() -> RequestContext | None:
    """Return the context of the current request, or None outside of one."""
    return _context.get()


def request_id() -> str | None:
    """Return the current request's id, or None outside of one."""
    context = _context.get()
    return context.request_id if context else None
