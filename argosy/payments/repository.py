"""SQL of payments."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, Table, delete, exists, func, or_, select, tuple_

from argosy.kit.clock import now
from argosy.kit.db import dialects
from argosy.kit.principal import Principal
from argosy.kit.repository import Repository, TenantRepository
from argosy.orders.models import Order
from argosy.orders.states import OrderStatus
from argosy.payments.models import Payment, PaymentNotice
from argosy.payments.provider import Intent, Refund
from argosy.payments.states import UNDER_WAY, PaymentStatus

# When an order was placed, and its id: they end in this order.
Placed = tuple[datetime, UUID]


class PaymentRepository(TenantRepository[Payment]):
    """Payments of the caller's organization, and what is due whoever's it is."""

    model = Payment

    def of_order(self, principal: Principal, order_id: UUID) -> Select[Payment]:
        """Select the payments of an order of the caller's organization."""
        return self.readable_by(principal).where(Payment.order_id == order_id)

    async def active(self, order_id: UUID) -> Payment | None:
        """Return the payment of an order that has not failed."""
        statement = select(Payment).where(Payment.order_id == order_id, Payment.status != PaymentStatus.FAILED)
        return await self.one_or_none(statement)

    async def failures(self, order_id: UUID) -> int:
        """Count the payments of an order that failed."""
        failed = select(func.count()).where(Payment.order_id == order_id, Payment.status == PaymentStatus.FAILED)
        return await self._session.scalar(failed) or 0

    async def get(self, payment_id: UUID) -> Payment | None:
        """Return a payment as it is now, whoever's it is, locked until the transaction ends."""
        statement = select(Payment).where(Payment.id == payment_id).with_for_update()
        return await self.one_or_none(statement.execution_options(populate_existing=True))

    async def told_of(self, provider: str, about: Intent | Refund) -> Payment | None:
        """Return the payment that a provider tells of: by its name for it, or by ours while its is not known yet."""
        reference = about.intent if isinstance(about, Refund) else about.reference
        known = Payment.reference == reference
        if isinstance(about, Intent) and about.payment_id is not None:
            known = or_(known, (Payment.id == about.payment_id) & Payment.reference.is_(None))
        return await self.one_or_none(select(Payment).where(Payment.provider == provider, known))

    async def due(self, limit: int) -> Sequence[UUID]:
        """Return payments whose provider is to be asked now."""
        due = select(Payment.id).where(Payment.next_attempt_at <= now())
        return (await self._session.scalars(due.order_by(Payment.next_attempt_at, Payment.id).limit(limit))).all()

    async def next_due(self) -> datetime | None:
        """Return when the next provider is to be asked."""
        waiting = select(Payment.next_attempt_at).where(Payment.next_attempt_at.is_not(None))
        return await self._session.scalar(waiting.order_by(Payment.next_attempt_at).limit(1))

    async def unpaid(self, before: datetime, after: Placed | None, limit: int) -> Sequence[Placed]:
        """Return orders that were placed before a time and after another, and that nobody is paying, oldest first."""
        paying = exists().where(Payment.order_id == Order.id, Payment.status.in_(UNDER_WAY))
        old = select(Order.created_at, Order.id).where(
            Order.status == OrderStatus.PENDING, Order.created_at < before, ~paying
        )
        if after is not None:
            old = old.where(tuple_(Order.created_at, Order.id) > after)
        found = await self._session.execute(old.order_by(Order.created_at, Order.id).limit(limit))
        return [(row[0], row[1]) for row in found]


class NoticeRepository(Repository[PaymentNotice]):
    """What providers have told."""

    model = PaymentNotice

    async def receive(self, provider: str, event_id: str, kind: str) -> bool:
        """Note that a message has come; False when it had already."""
        table = PaymentNotice.__table__
        assert isinstance(table, Table)  # noqa: S101 - what SQLAlchemy types as FromClause
        row = {"provider": provider, "event_id": event_id, "kind": kind, "received_at": now()}
        statement = dialects.insert(self._session.dialect, table).values(row).on_conflict_do_nothing()
        return (await self._session.execute(statement.returning(table.c.event_id))).scalar_one_or_none() is not None

    async def forget(self, before: datetime) -> None:
        """Forget messages that came before a time."""
        await self._session.execute(delete(PaymentNotice).where(PaymentNotice.received_at < before))
