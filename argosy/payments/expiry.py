"""Orders that nobody pays fail after a while, and give back what they took from a limited stock."""

import asyncio
from datetime import timedelta
from uuid import UUID

from argosy.kit.clock import now
from argosy.kit.db.session import Database
from argosy.kit.logs import get_logger
from argosy.orders.service import OrderService
from argosy.orders.states import OrderStatus
from argosy.payments.repository import PaymentRepository, Placed
from argosy.payments.states import UNDER_WAY

BATCH = 100
PAUSE_SECONDS = 30.0
log = get_logger(__name__)


class Expiry:
    """Looks for unpaid orders; one that is being paid waits for what comes of that."""

    def __init__(self, database: Database, lifetime: timedelta) -> None:
        self._database = database
        self._lifetime = lifetime

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("expiry_failed")
            await asyncio.sleep(min(PAUSE_SECONDS, self._lifetime.total_seconds()))

    async def look(self) -> int:
        """End the orders whose time is over; return how many. What fails is there at the next look."""
        before, ended = now() - self._lifetime, 0
        after: Placed | None = None
        while True:
            async with self._database.read() as session:
                old = await PaymentRepository(session).unpaid(before, after, BATCH)
            for _, order_id in old:
                try:
                    ended += await self._end(order_id)
                except Exception:  # the others go on
                    log.exception("expiry_failed", order_id=str(order_id))
            if len(old) < BATCH:
                return ended
            after = old[-1]

    async def _end(self, order_id: UUID) -> bool:
        async with self._database.write() as session:
            orders = OrderService(session)
            order = await orders.hold(order_id)
            if order is None or order.status is not OrderStatus.PENDING:
                return False
            payment = await PaymentRepository(session).active(order_id)
            if payment is not None and payment.status in UNDER_WAY:
                return False
            await orders.move(order, OrderStatus.FAILED)
            return True
