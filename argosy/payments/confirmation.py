"""The mail that confirms an order: once for each order that is paid, to whoever placed it."""

from uuid import UUID

from argosy.events.models import Event
from argosy.identity.service import AccountReader
from argosy.kit.crypto import KeyRing
from argosy.kit.db.session import WriteSession
from argosy.kit.money import written
from argosy.mail.service import Postbox
from argosy.orders.models import Order
from argosy.orders.service import OrderService


class Confirmation:
    """Posts the mail; a consumer of the outbox, so it is posted with the receipt of the event, or not at all."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    async def handle(self, session: WriteSession, event: Event) -> None:
        """Confirm the order of an event."""
        order = await OrderService(session).hold(UUID(event.subject))
        buyer = await AccountReader(session).users.get(order.placed_by) if order is not None else None
        if order is not None and buyer is not None and buyer.is_active:
            Postbox(session, self._keys).post(buyer.email, "Your order is paid", text(order, buyer.username))


def text(order: Order, username: str) -> str:
    """Return what the mail says."""
    lines = "\n".join(
        f"    {item.quantity} x {item.name} ({item.vendor}): {written(item.price * item.quantity, order.currency)}"
        for item in order.items
    )
    total = written(order.total, order.currency)
    return f"Hello {username},\n\nyour order {order.id} is paid:\n\n{lines}\n\n    Total: {total}\n\nThank you.\n"
