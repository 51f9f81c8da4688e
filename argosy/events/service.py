"""Recording events in the transaction of what they tell."""

from uuid import UUID

from pydantic import JsonValue

from argosy.events.models import Event
from argosy.kit import context
from argosy.kit.db.session import WriteSession

SIGNAL = "events"
CHANGED = "events.changed"
# What changes nothing that was ever read: who may do what, and what answers. Every other kind does.
HARMLESS = frozenset(
    {
        "account.code_requested",
        "admin.user_read",
        "admin.users_listed",
        "api_key.created",
        "article.created",
        "article.deleted",
        "article.published",
        "article.restored",
        "article.unpublished",
        "article.updated",
        "authorization.denied",
        "authorization.granted",
        "client.created",
        "client.token_issued",
        "mail.queued",
        "member.invited",
        "model.created",
        "order.cancelled",
        "order.failed",
        "order.placed",
        "order.unfulfillable",
        "payment.cancelling",
        "payment.failed",
        "payment.mismatched",
        "payment.processing",
        "payment.refunded",
        "payment.refunding",
        "payment.requested",
        "payment.succeeded",
        "product.archived",
        "product.created",
        "product.deleted",
        "product.priced",
        "product.published",
        "product.updated",
        "sign_in.failed",
        "sign_in.succeeded",
        "signing_key.created",
        "user.registered",
        "version.created",
    }
)


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
    if kind not in HARMLESS:
        session.wake(CHANGED)
    return event
