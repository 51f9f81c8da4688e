"""Decisions about payments: paying an order, giving it back, and what providers tell."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from argosy.kit.clock import now
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.errors import invalid
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.principal import Principal
from argosy.kit.schemas import no_nul
from argosy.orders.errors import OrderNotFound, OrderStatusConflict
from argosy.orders.models import Order
from argosy.orders.service import OrderReader, OrderService
from argosy.orders.states import OrderStatus
from argosy.payments.errors import PaymentProviderNotFound, WebhookRefused
from argosy.payments.models import Payment
from argosy.payments.provider import Intent, Notice, Provider, Refund
from argosy.payments.repository import NoticeRepository, PaymentRepository
from argosy.payments.settlement import REFUNDABLE, Settlement
from argosy.payments.signatures import SignatureRefused
from argosy.payments.states import PaymentStatus

KEEP_NOTICES = timedelta(days=30)


class PaymentReader:
    """Looks payments up."""

    def __init__(self, session: ReadSession) -> None:
        self.payments = PaymentRepository(session)
        self._orders = OrderReader(session)

    async def list(self, principal: Principal, order_id: UUID, query: PageQuery, sort: str) -> Listing[Payment]:
        """Return the payments of an order of the caller's organization; raises `OrderNotFound`."""
        await self._orders.get(principal, order_id)
        return await self.payments.page(self.payments.of_order(principal, order_id), query, sort)


class PaymentService:
    """Has orders paid, and given back. The provider is called after the commit, by the worker."""

    def __init__(self, session: WriteSession, poll: timedelta) -> None:
        self._settlement = Settlement(session, poll)
        self._orders = OrderService(session)
        self.payments = self._settlement.payments
        self._notices = NoticeRepository(session)

    async def pay(
        self, principal: Principal, order_id: UUID, provider: Provider, method: str | None
    ) -> tuple[Order, Payment]:
        """Ask for the payment of an order; while one is under way, return that.

        Raises `OrderNotFound`, `OrderStatusConflict`, or `Invalid` for a method that the provider does not know.
        """
        order = await self._hold(principal, order_id)
        active = await self.payments.active(order.id)
        if order.status is not OrderStatus.PENDING:
            raise OrderStatusConflict(f"it is {order.status}, and cannot be paid", order_status=order.status)
        if active is not None:
            return order, active
        try:
            known = provider.method(method)
        except ValueError as error:
            raise invalid(["body", "payment_method"], str(error)) from error
        return order, await self._settlement.request(order, provider.name, known)

    async def refund(self, principal: Principal, order_id: UUID) -> tuple[Order, Payment]:
        """Have all of an order's price given back; while that is under way, return it.

        Raises `OrderNotFound`, `OrderStatusConflict`.
        """
        order = await self._hold(principal, order_id)
        held = await self.payments.active(order.id)
        payment = await self.payments.get(held.id) if held is not None else None
        if payment is None or order.status not in REFUNDABLE:
            raise OrderStatusConflict(f"it is {order.status}, and cannot be refunded", order_status=order.status)
        if payment.status is PaymentStatus.SUCCEEDED:
            self._settlement.give_back(payment)
        await self.payments.flush()
        return order, payment

    async def notice(self, provider: str, notice: Notice) -> bool:
        """Act on what a provider tells, once; return whether it was new. Nobody calls: it is the system's session."""
        if not await self._notices.receive(provider, notice.event_id, notice.kind):
            return False
        found = await self.payments.told_of(provider, notice.about) if notice.about is not None else None
        held = await self._settlement.hold(found.id, found.order_id) if found is not None else None
        if held is None:
            return True
        match notice.about:
            case Intent() as intent:
                await self._settlement.settle(*held, intent, asked=False)
            case Refund() as refund:
                await self._settlement.settle_refund(*held, refund)
        return True

    async def _hold(self, principal: Principal, order_id: UUID) -> Order:
        order = await self._orders.hold(order_id, principal)
        if order is None:
            raise OrderNotFound
        return order


def read_notice(providers: Mapping[str, Provider], name: str, headers: Mapping[str, str], body: bytes) -> Notice:
    """Return what a webhook tells; raises `PaymentProviderNotFound`, `WebhookRefused`."""
    provider = providers.get(name)
    if provider is None:
        raise PaymentProviderNotFound
    try:
        notice = provider.read(headers, body)
        for text in (notice.event_id, notice.kind):
            no_nul(text).encode()  # what no database keeps cannot be known again
    except SignatureRefused as error:
        raise WebhookRefused(str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WebhookRefused("it cannot be read") from error
    return notice


async def forget_notices(session: WriteSession) -> None:
    """Forget messages so old that a repetition would be refused for its age."""
    await NoticeRepository(session).forget(now() - KEEP_NOTICES)
