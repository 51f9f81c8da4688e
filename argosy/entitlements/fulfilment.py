"""What an order's payment grants, and its refund takes back: consumers of the outbox, once in effect."""

from uuid import UUID

from argosy.entitlements.granting import Granting, allowed, starting
from argosy.entitlements.models import Entitlement
from argosy.entitlements.repository import EntitlementRepository
from argosy.entitlements.states import ENTITLEMENT_TRANSITIONS, EntitlementStatus
from argosy.events.models import Event
from argosy.events.service import record
from argosy.kit.db.session import WriteSession
from argosy.kit.logs import get_logger
from argosy.orders.models import Order, OrderItem
from argosy.orders.service import OrderService
from argosy.orders.states import OrderStatus
from argosy.organizations.service import OrganizationReader

ORDER_PAID, ORDER_REFUNDED, ORDER_UNFULFILLABLE = "order.paid", "order.refunded", "order.unfulfillable"
log = get_logger(__name__)


async def grant_order(session: WriteSession, event: Event) -> None:
    """Make an entitlement of each item of an order that was paid, and call the order fulfilled."""
    orders = OrderService(session)
    order = await orders.find(UUID(event.subject))
    if order is None or order.status is not OrderStatus.PAID:
        return  # refunded meanwhile, or fulfilled by an event that told the same
    if any(item.product_id is None for item in order.items):
        # Its vendor went between the order and its payment: there is nothing to grant, and payments give it back.
        log.warning("order_unfulfillable", order=str(order.id))
        record(session, ORDER_UNFULFILLABLE, str(order.id), order.organization_id)
        return
    customer = (await OrganizationReader(session).by_id(order.organization_id)).slug
    granted = {row.order_item_id for row in await EntitlementRepository(session).of_order(order.id)}
    for item in order.items:
        if item.id not in granted and item.product_id is not None:
            await Granting(session).grant(_entitlement(order, item, customer), item.product_id)
    await orders.move(order, OrderStatus.FULFILLED)


async def revoke_order(session: WriteSession, event: Event) -> None:
    """Revoke what an order granted that was refunded."""
    for row in await EntitlementRepository(session).of_order(UUID(event.subject)):
        if EntitlementStatus.REVOKED in ENTITLEMENT_TRANSITIONS[row.status]:
            await Granting(session).move(row, EntitlementStatus.REVOKED)


def _entitlement(order: Order, item: OrderItem, customer: str) -> Entitlement:
    return Entitlement(
        organization_id=order.organization_id,
        order_id=order.id,
        order_item_id=item.id,
        product_id=item.product_id,
        product=item.name,
        vendor_id=item.vendor_id,
        vendor=item.vendor,
        customer=customer,
        starts_at=starting(),
        **allowed(item.plan, item.quantity),
    )
