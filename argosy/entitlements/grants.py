"""Entitlements as the data plane has them: who may use what, and the quotas of this process."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID
from weakref import WeakValueDictionary

from argosy.entitlements.holdings import Holdings
from argosy.entitlements.ledger import Ledger, Terms
from argosy.entitlements.models import Entitlement
from argosy.entitlements.quota import Quota, Taken
from argosy.entitlements.repository import EntitlementRepository
from argosy.kit.clock import now
from argosy.kit.db.session import Database, ReadSession
from argosy.kit.logs import get_logger
from argosy.kit.principal import Principal, PrincipalKind
from argosy.kit.rates import RateLimiter, TooManyRequests
from argosy.registry.errors import ModelNotFound
from argosy.serving.grants import Covered

LOOK_SECONDS, RECLAIM_SECONDS = 0.25, 5.0
CLOSE_SECONDS = 5.0
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EntitlementGrant:
    """The entitlements by which one caller may use one model, in the order in which they are used up."""

    quotas: tuple[Quota, ...]

    @property
    def product_id(self) -> UUID | None:
        """The product of the first that was not used up a moment ago."""
        return next((quota for quota in self.quotas if not quota.is_used_up), self.quotas[0]).terms.product_id

    def take(self, calls: int, rows: int) -> Taken | TooManyRequests | None:
        """Take from what this process holds of the first that has it; None: it has to be acquired."""
        refusal: TooManyRequests | None = None
        for quota in self.quotas:
            found = quota.take(calls, rows)
            if not isinstance(found, TooManyRequests):
                return found
            refusal = _told(refusal, found, quota)
        return refusal

    async def acquire(self, calls: int, rows: int, *, patiently: bool = False) -> Taken:
        """Take from the first that has it; raises what is over first when none has."""
        refusal: TooManyRequests | None = None
        for quota in self.quotas:
            try:
                last = quota is self.quotas[-1]
                return await quota.acquire(calls, rows, patiently=patiently and last, last=last)
            except TooManyRequests as error:
                refusal = _told(refusal, error, quota)
            except ModelNotFound:
                continue  # this one has ended
        raise refusal or ModelNotFound


class EntitlementGrants:
    """Finds what lets a caller in, and gives back to the ledger what this process does not use."""

    def __init__(self, database: Database, rates: RateLimiter, holdings: Holdings) -> None:
        self._ledger = Ledger(database)
        self._holdings = holdings
        self._rates = rates
        # Kept for as long as a call may use them, and while they have something to give back.
        self._quotas: WeakValueDictionary[UUID, Quota] = WeakValueDictionary()
        self._busy: set[Quota] = set()

    async def find(
        self, session: ReadSession, principal: Principal, org: str, name: str, alias: str
    ) -> EntitlementGrant | None:
        """Return what lets a caller use a model by an alias; the session is the system's."""
        if principal.models is not None and f"{org}/{name}" not in principal.models:
            return None
        found = await EntitlementRepository(session).covering(principal, org, name, alias, now())
        quotas = tuple(self._quota(row) for row in found if _is_for(row, principal))
        return EntitlementGrant(quotas) if quotas else None

    async def covered(self, session: ReadSession, principal: Principal) -> Sequence[Covered]:
        """Return all that a caller is granted; the session is the system's."""
        found = await EntitlementRepository(session).covered(principal, now())
        mine = [
            model
            for row, model in found
            if _is_for(row, principal) and (principal.models is None or model.name in principal.models)
        ]
        return [Covered(model.model_id, model.alias) for model in mine]

    async def run(self) -> None:
        """Give back what nobody uses, and what processes held that are gone, until cancelled, and then everything."""
        look_at = 0.0
        try:
            while True:
                if (moment := time.monotonic()) >= look_at:
                    look_at = moment + RECLAIM_SECONDS
                    await self._reclaim()
                await asyncio.sleep(LOOK_SECONDS)
                await self._settle()
        finally:
            await asyncio.shield(self._close())

    async def _reclaim(self) -> None:
        for path in self._holdings.others():
            try:
                notes = self._holdings.left(path)
                if notes is not None:
                    await self._ledger.reclaim(notes.id, notes.held)
                    path.unlink(missing_ok=True)
            except Exception as error:  # noqa: BLE001 - it is found again
                log.warning("quota_not_reclaimed", notes=path.name, error=repr(error))

    async def _settle(self, *, everything: bool = False) -> None:
        for quota in list(self._busy):
            try:
                if await quota.settle(everything=everything):
                    self._busy.discard(quota)
            except Exception as error:  # noqa: BLE001 - it stays to be given back
                log.warning("quota_not_given_back", entitlement=str(quota.terms.id), error=repr(error))

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._settle(everything=True)
                self._holdings.close()
        except TimeoutError:
            log.warning("quotas_not_given_back", entitlements=len(self._busy))

    def _quota(self, row: Entitlement) -> Quota:
        terms = Terms.of(row)
        quota = self._quotas.get(row.id)
        if quota is None:
            quota = self._quotas[row.id] = Quota(terms, self._ledger, self._rates, self._holdings, self._busy.add)
        quota.adopt(terms)
        return quota


def _told(former: TooManyRequests | None, refusal: TooManyRequests, quota: Quota) -> TooManyRequests:
    """Return which of two refusals the caller is told: what is over first; of what is over together, what came last."""
    refusal.product_id = quota.terms.product_id
    return refusal if former is None or refusal.retry_after <= former.retry_after else former


def _is_for(row: Entitlement, principal: Principal) -> bool:
    """Tell whether a caller of the customer is one whom its entitlement is for."""
    if row.api_keys is None:
        return True
    return principal.kind is PrincipalKind.API_KEY and str(principal.id) in row.api_keys
