"""Recording events in the transaction of what they tell."""

from uuid import UUID

from pydantic import JsonValue

from argosy.events.models import Event
from argosy.kit import context
from argosy.kit.db.session import WriteSession

SIGNAL = "events"


def record(
    session: WriteSession, kind: str, subject: str, organization_id: UUID | None = None, /, **payload: JsonValue
) -> Event:
    """Add an event to the transaction; it is dispatched after the commit, at least once."""
    event = Event(
        kind=kind,
        subject=subject,
        organization_id=organization_id,
        payload=dict(payload),
        request_id=context.request_id(),
    )
    session.add(event)
    session.wake(SIGNAL)
    return event
