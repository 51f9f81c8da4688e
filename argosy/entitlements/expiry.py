"""Writing down what has expired. Nobody is let in from the very end on; this tells of it, and keeps the lists right."""

from argosy.entitlements.granting import Granting
from argosy.entitlements.repository import EntitlementRepository
from argosy.entitlements.states import EntitlementStatus
from argosy.kit.clock import now
from argosy.kit.db.session import Database

SIGNAL = "entitlements.ended"
BATCH = 100


class Expiry:
    """The loop that looks for what is over."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Look until cancelled."""
        with self._database.pulse.watch(SIGNAL, EntitlementRepository.has_ended()):
            await self._database.at_each(SIGNAL, self._expire_all, "expiry_failed")

    async def _expire_all(self) -> None:
        while await self.expire() == BATCH:
            pass

    async def expire(self) -> int:
        """Write down one batch; return how many it had."""
        async with self._database.read() as session:
            if not await EntitlementRepository(session).any_ended():
                return 0  # nearly always, and without a place in the queue of writers
        async with self._database.write() as session:
            rows = await EntitlementRepository(session).ended(now(), BATCH)
            for row in rows:
                await Granting(session).move(row, EntitlementStatus.EXPIRED)
            return len(rows)
