"""Asks providers: to charge, what has become of a charge, to give up, and to give back.

What is due is in the database, so after kill -9 it is still due. Each payment is claimed before its provider is
called, and no transaction is open meanwhile. A call that may or may not have happened is made again: providers know
calls about the same payment as the same.
"""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from argosy.kit.clock import now
from argosy.kit.db.session import Database
from argosy.kit.logs import get_logger
from argosy.payments.attending import attend
from argosy.payments.models import Payment
from argosy.payments.provider import (
    Charge,
    Intent,
    IntentStatus,
    Provider,
    ProviderRefused,
    ProviderUnavailable,
    Refund,
)
from argosy.payments.repository import PaymentRepository
from argosy.payments.settlement import SIGNAL, Settlement
from argosy.payments.states import PaymentStatus
from argosy.settings import PaymentsSettings

LEASE = timedelta(seconds=60)  # longer than the calls of one attempt may take
MAX_BACKOFF = 900.0
TIMED_OUT = "timed_out"
NEVER_SENT = ProviderRefused(TIMED_OUT, "the provider could not be reached in time, and nothing was charged")
log = get_logger(__name__)


class PaymentWorker:
    """Brings every payment to its end."""

    def __init__(self, database: Database, providers: Mapping[str, Provider], settings: PaymentsSettings) -> None:
        self._database = database
        self._providers = providers
        self._poll = timedelta(seconds=settings.poll)
        self._timeout = timedelta(seconds=settings.timeout)

    async def run(self) -> None:
        """Work until cancelled."""
        await attend(self._database, SIGNAL, PaymentRepository, self._attempt)

    async def _attempt(self, payment_id: UUID) -> None:
        payment = await self._claim(payment_id)
        if payment is None:
            return
        outcome: Intent | Refund | ProviderRefused | None = None
        retry_after = None
        try:
            outcome = await self._ask(payment)
        except ProviderRefused as refusal:
            outcome = refusal
        except ProviderUnavailable as error:
            log.warning("payment_provider_unavailable", payment_id=str(payment_id), error=str(error))
            retry_after = error.retry_after
        await self._apply(payment, outcome, retry_after)

    async def _claim(self, payment_id: UUID) -> Payment | None:
        async with self._database.write() as session:
            settlement = Settlement(session, self._poll)
            payment = await settlement.payments.get(payment_id)
            if payment is None or payment.next_attempt_at is None or payment.next_attempt_at > now():
                return None
            waiting = payment.status in {PaymentStatus.REQUESTED, PaymentStatus.PROCESSING}
            if waiting and payment.created_at < now() - self._timeout:
                settlement.withdraw(payment, TIMED_OUT)
            payment.attempts += 1
            payment.next_attempt_at = now() + LEASE
            return payment

    async def _ask(self, payment: Payment) -> Intent | Refund | ProviderRefused | None:
        provider = self._providers.get(payment.provider)
        if provider is None:
            raise ProviderUnavailable(f"the provider {payment.provider!r} is not in the settings")
        if payment.status is PaymentStatus.REFUNDING:
            if payment.refund_reference is not None:
                return await provider.retrieve_refund(payment.refund_reference)
            return await provider.refund(payment.reference or "", f"{payment.id}-refund-{payment.refunds}")
        if payment.status is PaymentStatus.REQUESTED:
            return await self._charge(provider, payment)
        if payment.reference is None:  # it was never confirmed
            return NEVER_SENT
        if payment.status is PaymentStatus.CANCELLING:
            return await provider.cancel(payment.reference)
        return await provider.retrieve(payment.reference)

    async def _charge(self, provider: Provider, payment: Payment) -> Intent | None:
        charge = Charge(
            payment.id, payment.order_id, payment.amount, payment.currency, payment.method, payment.attempts
        )
        reference = payment.reference
        if reference is None:
            reference = (await provider.create(charge)).reference
            if not await self._keep(payment.id, reference):
                return None
        else:  # it may have been confirmed, and the answer lost
            intent = await provider.retrieve(reference)
            if intent.status is not IntentStatus.CREATED:
                return intent
        return await provider.confirm(reference, charge)

    async def _keep(self, payment_id: UUID, reference: str) -> bool:
        """Keep the provider's name for a payment before anything is charged; False when it is not wanted any more."""
        async with self._database.write() as session:
            payment = await PaymentRepository(session).get(payment_id)
            if payment is None or payment.status is not PaymentStatus.REQUESTED:
                return False
            payment.reference = reference
            return True

    async def _apply(
        self, claimed: Payment, outcome: Intent | Refund | ProviderRefused | None, retry_after: float | None
    ) -> None:
        async with self._database.write() as session:
            settlement = Settlement(session, self._poll)
            held = await settlement.hold(claimed.id, claimed.order_id)
            if held is None:
                return
            payment, order = held
            match outcome:
                case Intent():
                    await settlement.settle(payment, order, outcome, asked=True)
                case Refund():
                    await settlement.settle_refund(payment, order, outcome)
                case ProviderRefused() if outcome is NEVER_SENT or claimed.status in _REFUSABLE:
                    await settlement.refuse(payment, order, outcome.code, outcome.message)
                case _:
                    pass
            if payment.next_attempt_at == claimed.next_attempt_at:  # nothing has come of it yet
                payment.next_attempt_at = now() + self._pause(claimed, retry_after)

    def _pause(self, payment: Payment, retry_after: float | None) -> timedelta:
        base = self._poll.total_seconds() if payment.status is PaymentStatus.PROCESSING else 1.0
        backoff = min(base * 2 ** min(payment.attempts - 1, 10), max(base, MAX_BACKOFF))
        return timedelta(seconds=max(backoff, min(retry_after or 0.0, MAX_BACKOFF)))


# Where a no ends it; asked how a charge is, or to cancel it, a provider's no says nothing of the charge.
_REFUSABLE = frozenset({PaymentStatus.REQUESTED, PaymentStatus.REFUNDING})
