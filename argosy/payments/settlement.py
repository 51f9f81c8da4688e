"""What comes of a payment: the one place where a provider's word changes a payment and its order.

Orders are locked before their payments, always, so that nobody waits for somebody who waits for them.
"""

from datetime import datetime, timedelta
from uuid import UUID

from argosy.events.models import Event
from argosy.events.service import record
from argosy.kit.clock import now
from argosy.kit.db.session import WriteSession
from argosy.kit.logs import get_logger
from argosy.orders.models import Order
from argosy.orders.service import OrderService
from argosy.orders.states import OrderStatus
from argosy.payments.models import Payment
from argosy.payments.provider import CANCELLED, Intent, IntentStatus, Refund, RefundStatus
from argosy.payments.repository import PaymentRepository
from argosy.payments.states import PAYMENT_TRANSITIONS, UNDER_WAY, PaymentStatus

SIGNAL = "payments"
MAX_FAILURES = 10
REFUNDABLE = frozenset({OrderStatus.PAID, OrderStatus.FULFILLED})
log = get_logger(__name__)


class Settlement:
    """Applies what a provider says to a payment and its order, in one transaction."""

    def __init__(self, session: WriteSession, poll: timedelta) -> None:
        self._session = session
        self._poll = poll
        self.payments = PaymentRepository(session)
        self._orders = OrderService(session)

    async def hold(self, payment_id: UUID, order_id: UUID) -> tuple[Payment, Order] | None:
        """Lock a payment and its order; None when they are gone."""
        order = await self._orders.hold(order_id)
        payment = await self.payments.get(payment_id)
        return (payment, order) if payment is not None and order is not None else None

    async def request(self, order: Order, provider: str, method: str) -> Payment:
        """Ask for the payment of an order, which is locked."""
        payment = Payment(
            organization_id=order.organization_id,
            order_id=order.id,
            provider=provider,
            method=method,
            amount=order.total,
            currency=order.currency,
        )
        await self.payments.add(payment)
        self._tell(payment.status.value, payment)
        self._session.wake(SIGNAL)
        return payment

    async def settle(self, payment: Payment, order: Order, intent: Intent, *, asked: bool) -> None:
        """Apply what a provider says of a charge; `asked` when it answers, and does not tell by itself."""
        if payment.status not in UNDER_WAY or payment.reference not in {None, intent.reference}:
            return
        payment.reference, payment.action_url = intent.reference, intent.action_url
        matches = (intent.amount, intent.currency) == (payment.amount, payment.currency)
        if not matches:
            self._tell("mismatched", payment, provider_amount=intent.amount, provider_currency=intent.currency)
            log.error("payment_mismatched", payment_id=str(payment.id), reference=intent.reference)
            if not asked:  # what a message says is believed only if it fits; the provider will be asked
                return
        match intent.status:
            case IntentStatus.SUCCEEDED:
                await self._charged(payment, order, matches=matches)
            case IntentStatus.FAILED:
                await self._failed(payment, order, intent.code, intent.message)
            case IntentStatus.PROCESSING if payment.status is PaymentStatus.REQUESTED:
                self.move(payment, PaymentStatus.PROCESSING, at=now() + self._poll)
            case _:
                pass

    async def refuse(self, payment: Payment, order: Order, code: str, message: str) -> None:
        """Apply a provider's no: nothing is charged, or nothing given back."""
        if payment.status is PaymentStatus.REFUNDING:
            self._not_refunded(payment, code, message)
        elif payment.status in UNDER_WAY:
            await self._failed(payment, order, code, message)

    async def settle_refund(self, payment: Payment, order: Order, refund: Refund) -> None:
        """Apply what a provider says of a refund; of all that was paid, others change nothing."""
        if (refund.amount, refund.currency) != (payment.amount, payment.currency):
            self._tell("mismatched", payment, provider_amount=refund.amount, provider_currency=refund.currency)
            return
        if payment.status not in {PaymentStatus.REFUNDING, PaymentStatus.SUCCEEDED}:
            return
        if refund.status is RefundStatus.SUCCEEDED:
            payment.refund_reference = refund.reference
            self.move(payment, PaymentStatus.REFUNDED)
            if order.status in REFUNDABLE:
                await self._orders.move(order, OrderStatus.REFUNDED)
        elif payment.status is PaymentStatus.REFUNDING and payment.refund_reference in {None, refund.reference}:
            payment.refund_reference = refund.reference
            if refund.status is RefundStatus.FAILED:
                self._not_refunded(payment, refund.code, refund.message)

    def move(self, payment: Payment, status: PaymentStatus, *, at: datetime | None = None) -> None:
        """Bring a payment into another state, the one way there is; `at` is when its provider is asked next."""
        if status not in PAYMENT_TRANSITIONS[payment.status]:
            raise RuntimeError(f"a payment that is {payment.status} cannot be {status}")
        payment.status, payment.attempts, payment.next_attempt_at = status, 0, at
        self._tell(status.value, payment)
        if at is not None:
            self._session.wake(SIGNAL)

    def withdraw(self, payment: Payment, code: str) -> None:
        """Have a charge cancelled that may not have happened yet."""
        payment.code = code
        self.move(payment, PaymentStatus.CANCELLING, at=now())

    def give_back(self, payment: Payment, code: str | None = None) -> None:
        """Have a charge refunded."""
        payment.refunds += 1
        payment.refund_reference = payment.message = None
        payment.code = code
        self.move(payment, PaymentStatus.REFUNDING, at=now())

    async def _charged(self, payment: Payment, order: Order, *, matches: bool) -> None:
        payment.action_url = None
        self.move(payment, PaymentStatus.SUCCEEDED)
        if not matches:
            self.give_back(payment, "amount_mismatch")
        elif order.status is not OrderStatus.PENDING:  # cancelled meanwhile: money that pays for nothing goes back
            self.give_back(payment, "order_closed")
        else:
            await self._orders.move(order, OrderStatus.PAID)

    async def _failed(self, payment: Payment, order: Order, code: str | None, message: str | None) -> None:
        if payment.status is not PaymentStatus.CANCELLING or code != CANCELLED:  # else why it was cancelled says more
            payment.code, payment.message = code, message
        payment.action_url = None
        self.move(payment, PaymentStatus.FAILED)
        await self.payments.flush()
        if order.status is OrderStatus.PENDING and await self.payments.failures(order.id) >= MAX_FAILURES:
            await self._orders.move(order, OrderStatus.FAILED)

    def _not_refunded(self, payment: Payment, code: str | None, message: str | None) -> None:
        payment.code, payment.message = code, message
        self.move(payment, PaymentStatus.SUCCEEDED)
        log.warning("refund_refused", payment_id=str(payment.id), code=code)

    def _tell(self, happened: str, payment: Payment, **more: str | int) -> None:
        record(
            self._session,
            f"payment.{happened}",
            str(payment.id),
            payment.organization_id,
            order_id=str(payment.order_id),
            amount=payment.amount,
            currency=payment.currency,
            code=payment.code,
            **more,
        )


class Reversal:
    """Undoes the payment of an order that comes to nothing; consumers of the outbox."""

    def __init__(self, poll: timedelta) -> None:
        self._poll = poll

    async def withdraw(self, session: WriteSession, event: Event) -> None:
        """Have the provider asked not to charge for an order that was cancelled, if it has not yet."""
        settlement = Settlement(session, self._poll)
        payment = await self._held(settlement, event)
        if payment is not None and payment.status in {PaymentStatus.REQUESTED, PaymentStatus.PROCESSING}:
            settlement.withdraw(payment, "order_cancelled")

    async def give_back(self, session: WriteSession, event: Event) -> None:
        """Have what was charged for an order refunded that cannot be fulfilled, unless it is already."""
        settlement = Settlement(session, self._poll)
        payment = await self._held(settlement, event)
        if payment is not None and payment.status is PaymentStatus.SUCCEEDED:
            settlement.give_back(payment, "order_unfulfillable")

    async def _held(self, settlement: Settlement, event: Event) -> Payment | None:
        found = await settlement.payments.active(UUID(event.subject))
        held = await settlement.hold(found.id, found.order_id) if found else None
        return held[0] if held is not None else None
