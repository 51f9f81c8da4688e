"""SQL of the local provider's books."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select

from argosy.kit.clock import now
from argosy.kit.repository import Repository
from argosy.payments.local.models import LocalIntent, LocalRefund, LocalWebhook


class IntentRepository(Repository[LocalIntent]):
    """Charges."""

    model = LocalIntent

    async def get(self, intent_id: str) -> LocalIntent | None:
        """Return a charge, locked in a transaction that may write."""
        return await self.one_or_none(select(LocalIntent).where(LocalIntent.id == intent_id))

    async def lock(self, intent_id: str) -> LocalIntent | None:
        """Return a charge that nobody else changes until the transaction ends."""
        return await self.one_or_none(select(LocalIntent).where(LocalIntent.id == intent_id).with_for_update())

    async def of(self, payment_id: UUID) -> LocalIntent | None:
        """Return the charge of a payment."""
        return await self.one_or_none(select(LocalIntent).where(LocalIntent.payment_id == payment_id))


class RefundRepository(Repository[LocalRefund]):
    """Refunds."""

    model = LocalRefund

    async def get(self, refund_id: str) -> LocalRefund | None:
        """Return a refund."""
        return await self.one_or_none(select(LocalRefund).where(LocalRefund.id == refund_id))

    async def of(self, key: str) -> LocalRefund | None:
        """Return the refund of a key."""
        return await self.one_or_none(select(LocalRefund).where(LocalRefund.key == key))


class WebhookRepository(Repository[LocalWebhook]):
    """Messages."""

    model = LocalWebhook

    async def lock(self, webhook_id: str) -> LocalWebhook | None:
        """Return a message that nobody else sends until the transaction ends."""
        return await self.one_or_none(select(LocalWebhook).where(LocalWebhook.id == webhook_id).with_for_update())

    async def due(self, limit: int) -> Sequence[str]:
        """Return messages whose time has come, oldest first."""
        due = select(LocalWebhook.id).where(LocalWebhook.due_at <= now())
        return (await self._session.scalars(due.order_by(LocalWebhook.due_at, LocalWebhook.id).limit(limit))).all()

    async def next_due(self) -> datetime | None:
        """Return when the next message is to be sent."""
        waiting = select(LocalWebhook.due_at).where(LocalWebhook.due_at.is_not(None))
        return await self._session.scalar(waiting.order_by(LocalWebhook.due_at).limit(1))

    async def forget(self, before: datetime) -> None:
        """Forget messages that were made before a time and are not to be sent any more."""
        done = delete(LocalWebhook).where(LocalWebhook.created_at < before, LocalWebhook.due_at.is_(None))
        await self._session.execute(done)
