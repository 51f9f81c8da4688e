"""Recording events in the transaction of what they tell."""

from uuid import UUID

from pydantic import JsonValue

from argosy.events.effects import signals_of
from argosy.events.models import Event
from argosy.kit import context
from argosy.kit.db.session import WriteSession

SIGNAL = "events"


def record(
    session: WriteSession, kind: str, subject: str, organization_id: UUID | None = None, /, **payload: JsonValue
) -> Event:
    """Add an event to the transaction; it is dispatched after the commit, at least once."""
    request = context.current()
    caller = request.principal if request else None
    event = Event(
        kind=kind,
        subject=subject,
        organization_id=organization_id,
        payload=dict(payload),
        actor_kind=caller.kind.value if caller else None,
        actor_id=caller.id if caller else None,
        address=request.address if request else None,
        user_agent=request.user_agent if request else None,
        request_id=request.request_id if request else None,
    )
    session.add(event)
    session.wake(SIGNAL)
    for name in signals_of(kind, subject):
        session.wake(name)
    return event
