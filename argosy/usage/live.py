"""Usage as it is counted: an event a second with what two readings of the counters differ by (Server-Sent Events).

The counters are those of `GET /usage`, so that the events of all processes' calls add up to exactly what it shows.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from functools import reduce
from uuid import UUID

from fastapi import Request
from fastapi.sse import ServerSentEvent

from argosy.events.freshness import Freshness
from argosy.kit.clock import now, today
from argosy.kit.db.session import Database
from argosy.kit.db.tenancy import Actor
from argosy.kit.errors import Forbidden, NotFound, Unauthenticated
from argosy.kit.logs import get_logger
from argosy.kit.principal import Principal, Scope
from argosy.kit.web.security import identified
from argosy.usage.errors import TooManyStreams
from argosy.usage.schemas import Amount, LiveRow, LiveUsage
from argosy.usage.service import Amounts, Counts, UsageReader

EVERY_SECONDS = 1.0
RETRY_MS = 3000
MOST_STREAMS, MOST_EXPORTS = 10, 2
# What a process that crashed left behind may be counted a while after its day.
LOOK_BACK = timedelta(days=1)
RESUMED_WITHIN = timedelta(days=7)
LOST = (Unauthenticated, Forbidden, NotFound)
ID = re.compile(r"(\d{4}-\d{2}-\d{2})" + r":(\d{1,18})" * len(Amount.model_fields), re.ASCII)
NOTHING: Amounts = (0, 0, 0, 0)
log = get_logger(__name__)


class Places:
    """How many streams each organization has open in this process."""

    def __init__(self, most: int = MOST_STREAMS) -> None:
        self._most = most
        self._taken: Counter[UUID] = Counter()

    @contextmanager
    def taken(self, organization_id: UUID) -> Iterator[None]:
        """Hold a place; raises `TooManyStreams`."""
        if self._taken[organization_id] >= self._most:
            message = f"an organization may have {self._most} streams open at once"
            raise TooManyStreams(message, headers={"Retry-After": "5"})
        self._taken[organization_id] += 1
        try:
            yield
        finally:
            self._taken[organization_id] -= 1
            self._taken += Counter()  # forgets the organizations that have none


class UsageStream:
    """One stream of usage, for one caller."""

    def __init__(self, request: Request, principal: Principal) -> None:
        self._request = request
        self._state = request.app.state
        self._principal = principal
        self._freshness: Freshness = self._state.fast.freshness
        self._belief = self._freshness.belief()
        self._before: Counts | None = None
        self._read = 0.0

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        """Tell until the client goes, the caller may no longer, or the server stops."""
        yield ServerSentEvent(retry=RETRY_MS)
        stopping: asyncio.Event = self._state.stopping
        while not stopping.is_set():
            try:
                event = await self._next()
            except LOST as error:
                yield ServerSentEvent(event="end", data={"reason": error.type})
                return
            except Exception as error:  # noqa: BLE001 - the next event tells what this one could not
                log.warning("live_usage_unread", error=repr(error))
                event = ServerSentEvent(comment="the counters cannot be read at the moment")
            yield event
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_SECONDS):
                    await stopping.wait()

    async def _next(self) -> ServerSentEvent:
        await self._look_again()
        since, moment = today() - LOOK_BACK, time.monotonic()
        resumed = resumption(self._request.headers.get("last-event-id", "")) if self._before is None else None
        after = await self._counts(min(since, resumed[0]) if resumed else since)
        before = after if self._before is None else self._before
        items = grown(before, after)
        live = LiveUsage(
            at=now(),
            seconds=round(moment - self._read, 3) if self._before is not None else 0.0,
            items=items,
            **{name: sum(getattr(item, name) for item in items) for name in Amount.model_fields},
            missed=missed(resumed, after) if resumed else None,
        )
        self._before, self._read = after, moment
        return ServerSentEvent(event="usage", data=live, id=":".join(map(str, [since, *total(after, since)])))

    async def _look_again(self) -> None:
        """Look at the caller again when anything has changed."""
        if self._freshness.holds(self._belief):
            return
        belief = self._freshness.belief()
        principal = await identified(self._request)
        if not principal.may(Scope.USAGE_READ):
            raise Forbidden(f"this needs the scope {Scope.USAGE_READ}")
        self._principal, self._belief = principal, belief

    async def _counts(self, since: date) -> Counts:
        database: Database = self._state.database
        async with database.read(Actor.of(self._principal)) as session:
            return await UsageReader(session).counts(self._principal, since)


def grown(before: Counts, after: Counts) -> list[LiveRow]:
    """Return what each model version has more than before."""
    more: dict[tuple[str, int], Amounts] = {}
    for key, amounts in after.items():
        more[key[:2]] = _plus(more.get(key[:2], NOTHING), _minus(amounts, before.get(key, NOTHING)))
    return [
        LiveRow(model=model, version=version, **_named(amounts))
        for (model, version), amounts in more.items()
        if any(amounts)
    ]


def total(counts: Counts, since: date) -> Amounts:
    """Return the amounts over all, from a day on."""
    return reduce(_plus, (amounts for (_, _, day), amounts in counts.items() if day >= since), NOTHING)


def resumption(last_event_id: str) -> tuple[date, Amounts] | None:
    """Return what the id of an event says: the amounts counted from a day on, when it was sent."""
    known = ID.fullmatch(last_event_id)
    if known is None:
        return None
    try:
        since = date.fromisoformat(known[1])
    except ValueError:
        return None
    is_recent = today() - RESUMED_WITHIN <= since <= today()
    calls, rows, refused, errors = map(int, known.groups()[1:])
    return (since, (calls, rows, refused, errors)) if is_recent else None


def missed(resumed: tuple[date, Amounts], counts: Counts) -> Amount | None:
    """Return what was counted since an event; None when its id is not one of this organization's."""
    since, then = resumed
    more = _minus(total(counts, since), then)
    return Amount(**_named(more)) if min(more) >= 0 else None


def _plus(a: Amounts, b: Amounts) -> Amounts:
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3])


def _minus(a: Amounts, b: Amounts) -> Amounts:
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3])


def _named(amounts: Amounts) -> dict[str, int]:
    return dict(zip(Amount.model_fields, amounts, strict=True))
