"""What one process may still spend of a quota: leased from the ledger, spent here, given back when nobody wants it."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from argosy.entitlements.holdings import Holdings
from argosy.entitlements.ledger import Changed, Ended, Ledger, Terms, Units
from argosy.entitlements.pace import Pace
from argosy.entitlements.periods import Span, span
from argosy.kit.clock import now
from argosy.kit.rates import RateLimiter, TooManyRequests
from argosy.kit.tasks import completed
from argosy.registry.errors import ModelNotFound
from argosy.serving.errors import QuotaExceeded

IDLE_SECONDS = 0.5
REFUSED_SECONDS = 1.0
NOTHING = Units()
# What another process holds and does not use is back after this long: who is refused waits for it once.
PATIENCE_SECONDS, LOOK_SECONDS = 1.25, 0.25


@dataclass(eq=False, slots=True)
class Taken:
    """What one call has taken."""

    quota: "Quota"
    span: Span
    units: Units
    left: Units
    settled: bool = False

    @property
    def product_id(self) -> UUID | None:
        """The product that was used."""
        return self.quota.terms.product_id

    @property
    def order_item_id(self) -> UUID | None:
        """The item of an order whose quota it was; None where it was granted without an order."""
        return self.quota.terms.order_item_id

    @property
    def headers(self) -> Mapping[str, str]:
        """The fields that tell what is left."""
        return told(self.quota.terms, self.span, self.left)

    def keep(self) -> None:
        """Count the call for good."""
        self.settled = True

    def give_back(self) -> None:
        """Count it as never made, unless it was kept."""
        if not self.settled:
            self.settled = True
            self.quota.give_back(self.span, self.units)


class Quota:
    """The quota of one entitlement as one process has it; `busy` is told when there is something to give back."""

    def __init__(
        self,
        terms: Terms,
        ledger: Ledger,
        rates: RateLimiter,
        holdings: Holdings,
        busy: Callable[["Quota"], None],
    ) -> None:
        self.terms = terms
        self._ledger = ledger
        self._holdings = holdings
        self._rates = rates
        self._busy = busy
        self._pace = self._paced()
        self._leasing = asyncio.Lock()
        self._span = span(terms.period, now())
        self._calls = self._rows = 0  # held and not spent
        self._left = Units()  # of the ledger, when it was last asked
        self._aside: dict[Span, Units] = {}  # to be put back
        self._used = 0.0
        self._patient = True
        self._refused: tuple[Units, float] = (Units(), 0.0)

    @property
    def is_used_up(self) -> bool:
        """Tell whether even one call or row more was refused a moment ago."""
        return self._refusal(Units(1, 1), now()) is not None

    def adopt(self, terms: Terms) -> None:
        """Go by other terms, unless they are older; what is held was leased by the former ones, and goes back."""
        if terms == self.terms or terms.revision < self.terms.revision:
            return
        rate, self.terms = self.terms.rate, terms
        self._put_aside()
        self._turn()
        self._patient, self._refused = True, (Units(), 0.0)
        if terms.rate != rate:
            self._pace = self._paced()

    def take(self, calls: int, rows: int) -> Taken | TooManyRequests | None:
        """Take from what is held; the refusal, where it is known, or None: it has to be acquired."""
        ends = self.terms.ends_at
        moment = now()
        if moment not in self._span or (ends is not None and moment >= ends):
            return None
        if calls > self._calls or rows > self._rows:
            return self._refusal(Units(calls, rows), moment)
        if self._pace is not None:
            paced = self._pace.take()
            if paced is not True:
                return paced or None
        return self._spend(Units(calls, rows))

    async def acquire(self, calls: int, rows: int, *, patiently: bool, last: bool = True) -> Taken:
        """Take, leasing what is not held; only the `last` that can be asked waits for what other processes hold.

        Raises `QuotaExceeded`, `TooManyRequests` or `ModelNotFound`.
        """
        needed = Units(calls, rows)
        self._require_time()
        if (refusal := self._refusal(needed, now())) is not None and not self._holds(needed):
            raise refusal
        if self._pace is not None:
            await self._pace.acquire(calls, patiently=patiently)
        while True:
            self._require_time()
            if self._holds(needed):
                return self._spend(needed)
            async with self._leasing:
                if not self._holds(needed):
                    await self._lease(needed, may_wait=last)

    def give_back(self, of: Span, units: Units) -> None:
        """Have back what a call took that did not succeed."""
        if of == self._span:
            self._calls += units.calls
            self._rows += units.rows
        else:
            self._aside[of] = self._aside.get(of, Units()) + units
        self._holdings.hold((self.terms.id, of.start), self._unspent(of))
        self._busy(self)

    async def settle(self, *, everything: bool = False) -> bool:
        """Put back what nobody used for a while, and what is left of a period that is over; True when all is back."""
        idle = time.monotonic() - self._used >= IDLE_SECONDS
        if everything or idle or now() not in self._span:
            self._put_aside()
        for of in list(self._aside):
            await completed(self._put_back(of))
        return not (self._aside or self._calls or self._rows)

    def _holds(self, needed: Units) -> bool:
        return now() in self._span and needed.calls <= self._calls and needed.rows <= self._rows

    def _spend(self, units: Units) -> Taken:
        self._calls -= units.calls
        self._rows -= units.rows
        self._lower(self._span)
        self._used = time.monotonic()
        return Taken(self, self._span, units, self._remaining())

    def _unspent(self, of: Span) -> Units:
        aside = self._aside.get(of, NOTHING)
        return aside + Units(self._calls, self._rows) if of == self._span else aside

    def _lower(self, of: Span) -> None:
        """Note that less of a period is held: before anybody goes on with what it was."""
        unspent = self._unspent(of)
        self._holdings.change((self.terms.id, of.start), unspent.calls, unspent.rows)

    def _remaining(self) -> Units:
        return self._left + Units(self._calls, self._rows)

    def _refusal(self, needed: Units, moment: datetime) -> QuotaExceeded | None:
        """Return the refusal of what asks for no less than what was refused a moment ago."""
        refused, until = self._refused
        if needed.calls < refused.calls or needed.rows < refused.rows:
            return None
        if moment not in self._span or time.monotonic() >= until:
            return None
        return self._exceeded(moment)

    def _exceeded(self, moment: datetime) -> QuotaExceeded:
        left, terms = self._remaining(), self.terms
        seconds = _seconds(self._span.end - moment)
        return QuotaExceeded(
            f"what a {terms.period} allows is used up, until {self._span.end:%Y-%m-%d} (UTC)",
            headers={**told(terms, self._span, left), "Retry-After": str(seconds)},
            calls=None if terms.calls is None else {"limit": terms.calls, "left": left.calls},
            rows=None if terms.rows is None else {"limit": terms.rows, "left": left.rows},
            resets_at=self._span.end.isoformat(),
        )

    async def _lease(self, needed: Units, *, may_wait: bool) -> None:
        """Lease what is needed beyond what is held; once it may wait for what others hold and do not use."""
        self._turn()
        until = time.monotonic() + PATIENCE_SECONDS
        while not await self._leased(needed):
            if not (may_wait and self._patient) or time.monotonic() > until:
                self._patient = self._patient and not may_wait
                self._refused = (needed, time.monotonic() + REFUSED_SECONDS)
                raise self._exceeded(now())
            await asyncio.sleep(LOOK_SECONDS)
        self._patient = True

    async def _leased(self, needed: Units) -> bool:
        while not self._holds(needed):
            missing = Units(max(0, needed.calls - self._calls), max(0, needed.rows - self._rows))
            try:
                # Who called may go meanwhile: what the ledger gave for the call is held for the next one.
                return await completed(self._take(self._span, missing))
            except Changed as changed:
                self.adopt(changed.terms)
        return True

    async def _take(self, of: Span, missing: Units) -> bool:
        try:
            lease = await self._ledger.lease(self.terms, of.start, missing)
        except Ended:
            raise ModelNotFound from None
        self._left = lease.left
        if lease.taken is None:
            return False
        self._used = time.monotonic()
        self.give_back(of, lease.taken)
        return True

    async def _put_back(self, of: Span) -> None:
        units = self._aside.pop(of)
        self._lower(of)
        try:
            await self._ledger.put_back(self.terms.id, of.start, units)
        except Exception:
            self._aside[of] = self._aside.get(of, Units()) + units
            raise
        if of == self._span:
            self._left += units

    def _turn(self) -> None:
        """Go on to the period that it is by now."""
        current = span(self.terms.period, now())
        if current != self._span:
            self._put_aside()
            self._span, self._left = current, Units()
            self._patient, self._refused = True, (Units(), 0.0)

    def _put_aside(self) -> None:
        held = Units(self._calls, self._rows)
        if held:
            self._aside[self._span] = self._aside.get(self._span, Units()) + held
            self._calls = self._rows = 0
            self._busy(self)

    def _require_time(self) -> None:
        if self.terms.ends_at is not None and now() >= self.terms.ends_at:
            raise ModelNotFound

    def _paced(self) -> Pace | None:
        return None if self.terms.rate is None else Pace(self._rates, self.terms.rate, self.terms.id)


def told(terms: Terms, of: Span, left: Units) -> dict[str, str]:
    """Return the fields of a quota (draft-ietf-httpapi-ratelimit-headers-10): its policies, and where they stand."""
    window, reset = _seconds(of.end - of.start), _seconds(of.end - now())
    bounds = [("quota", terms.calls, left.calls, ""), ("quota-rows", terms.rows, left.rows, ';qu="rows"')]
    known = [(name, limit, rest, unit) for name, limit, rest, unit in bounds if limit is not None]
    policies = [f'"{name}";q={limit}{unit};w={window}' for name, limit, _, unit in known]
    standing = [f'"{name}";r={min(rest, limit)};t={reset}' for name, limit, rest, _ in known]
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(standing)}


def _seconds(length: timedelta) -> int:
    return max(1, -int(-length.total_seconds() // 1))
