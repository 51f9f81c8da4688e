"""A quota is spent to the last unit and not beyond, by calls that succeed; it begins anew with its period."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from argosy.entitlements import grants as entitlement_grants
from argosy.entitlements import ledger, quota, repository, schemas
from argosy.entitlements.holdings import Holdings
from argosy.entitlements.models import Entitlement
from argosy.entitlements.periods import span
from argosy.kit.clock import now
from argosy.products.plans import Period
from tests.support.callers import Caller
from tests.support.entitlements import PREDICT, ROW, granted, with_key

LINE = json.dumps(ROW["rows"][0]) + "\n"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return now() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module in (ledger, quota, schemas, entitlement_grants):
        monkeypatch.setattr(module, "now", made.now)
    return made


async def used(caller: Caller, entitlement: dict[str, Any], what: str = "calls") -> int:
    shown = (await caller.get(f"/entitlements/{entitlement['id']}")).json()
    number: int = shown["current"][what]["used"]
    return number


async def settled(caller: Caller, entitlement: dict[str, Any], expected: int, what: str = "calls") -> None:
    for _ in range(150):
        if await used(caller, entitlement, what) == expected:
            return
        await asyncio.sleep(0.02)
    assert await used(caller, entitlement, what) == expected


async def noted(caller: Caller) -> dict[str, int]:
    """What the caller's usage has, once a failure is among it."""
    totals: dict[str, int] = {}
    for _ in range(150):
        items = (await caller.get("/usage?group_by=model")).json()["items"]
        totals = {name: sum(one[name] for one in items) for name in ("calls", "errors")}
        if totals["errors"]:
            break
        await asyncio.sleep(0.02)
    return totals


async def test_a_quota_is_spent_to_the_last_call_and_then_refused(owner: Caller, stranger: Caller) -> None:
    found = await granted(owner, stranger, {"period": "month", "calls": 100})

    async def some() -> list[int]:
        return [(await with_key(stranger)).status_code for _ in range(13)]

    answers = await asyncio.gather(*(some() for _ in range(10)))
    assert Counter(status for each in answers for status in each) == {200: 100, 429: 30}
    assert await used(stranger, found) == 100
    for caller in (with_key(stranger), stranger.post(PREDICT, json=ROW)):
        refused = await caller
        assert refused.json()["type"] == "urn:argosy:problem:quota-exceeded"
        assert refused.json()["calls"] == {"limit": 100, "left": 0}
        reset = span(Period.MONTH, now()).end
        assert abs(int(refused.headers["retry-after"]) - (reset - now()).total_seconds()) < 60
        assert refused.headers["ratelimit-policy"].startswith('"quota";q=100;w=')
        assert refused.headers["ratelimit"].startswith('"quota";r=0;t=')
        assert int(refused.headers["ratelimit-limit"]) > 100, "the rate limit's own fields stay"


async def test_answers_tell_what_is_left(owner: Caller, stranger: Caller) -> None:
    await granted(owner, stranger, {"period": "day", "calls": 50, "rows": 60})
    for left in range(49, 39, -1):
        answer = await with_key(stranger)
        assert answer.headers["ratelimit"].startswith(f'"quota";r={left};t=')
        assert f'"quota-rows";r={left + 10};t=' in answer.headers["ratelimit"]
        assert answer.headers["ratelimit-policy"] == '"quota";q=50;w=86400, "quota-rows";q=60;qu="rows";w=86400'


async def test_calls_that_do_not_succeed_are_not_counted(owner: Caller, stranger: Caller) -> None:
    found = await granted(owner, stranger, {"period": "month", "calls": 5})
    wrong = {"rows": [{"width": "wide", "height": 1}]}
    assert (await with_key(stranger)).status_code == 200
    for _ in range(10):
        assert (await with_key(stranger, wrong)).status_code == 422
        late = await with_key(stranger, **{"X-Request-Timeout-Ms": "1"})
        assert late.status_code in {200, 504}
        if late.status_code == 200:
            break
    statuses = [(await with_key(stranger)).status_code for _ in range(6)]
    assert statuses[-1] == 429
    assert await used(stranger, found) == 5


async def test_rows_are_counted_too(owner: Caller, stranger: Caller) -> None:
    found = await granted(owner, stranger, {"period": "month", "rows": 10})
    three = {"rows": ROW["rows"] * 3}
    assert [(await with_key(stranger, three)).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert [(await with_key(stranger)).status_code for _ in range(2)] == [200, 429]
    await settled(stranger, found, 10, "rows")
    await settled(stranger, found, 4)


async def test_a_stream_ends_where_the_quota_does(owner: Caller, stranger: Caller) -> None:
    found = await granted(owner, stranger, {"period": "month", "calls": 300})
    answer = await stranger.post(f"{PREDICT}/stream", content=LINE * 400)
    *lines, end = [json.loads(line) for line in answer.text.splitlines()]
    assert len(lines) == end["rows"] == 300
    assert all("prediction" in line for line in lines)
    assert "used up" in end["error"]
    assert await used(stranger, found) == 300
    assert await noted(stranger) == {"calls": 300, "errors": 1}


async def test_what_is_not_spent_goes_back(owner: Caller, stranger: Caller) -> None:
    found = await granted(owner, stranger, {"period": "month", "calls": 10_000})
    for _ in range(3):
        assert (await with_key(stranger)).status_code == 200
    assert await used(stranger, found) > 3
    await settled(stranger, found, 3)


async def test_what_is_held_goes_back_at_a_stop(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    found = await granted(owner, stranger, {"period": "month", "calls": 10_000})
    assert (await with_key(stranger)).status_code == 200
    await app.state.grants._close()
    assert await used(stranger, found) == 1


def slowed(monkeypatch: pytest.MonkeyPatch, name: str) -> asyncio.Event:
    """Have the ledger's answer come a while after its commit; the event tells of the commit."""
    committed, act = asyncio.Event(), getattr(ledger.Ledger, name)

    async def slow(*asked: Any) -> Any:
        found = await act(*asked)
        committed.set()
        await asyncio.sleep(0.05)
        return found

    monkeypatch.setattr(ledger.Ledger, name, slow)
    return committed


async def test_what_was_leased_for_a_caller_who_has_gone_is_not_lost(
    owner: Caller, stranger: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await granted(owner, stranger, {"period": "month", "calls": 10_000})
    committed = slowed(monkeypatch, "lease")
    call = asyncio.create_task(stranger.post(PREDICT, json=ROW))
    await committed.wait()
    call.cancel()
    await asyncio.wait({call})
    assert call.cancelled()
    await settled(stranger, found, 0)


async def test_a_stop_while_it_is_put_back_puts_it_back_once(
    app: FastAPI, owner: Caller, stranger: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await granted(owner, stranger, {"period": "month", "calls": 96, "rows": 96})
    for _ in range(4):
        assert (await with_key(stranger)).status_code == 200
    (held,) = app.state.grants._busy
    committed = slowed(monkeypatch, "put_back")
    settling = asyncio.create_task(held.settle(everything=True))
    await committed.wait()
    settling.cancel()
    await asyncio.wait({settling})
    await app.state.grants._close()
    assert await used(stranger, found) == 4


async def test_two_entitlements_are_used_up_one_after_the_other(owner: Caller, stranger: Caller) -> None:
    first = await granted(owner, stranger, {"period": "month", "calls": 3})
    second = await granted(owner, stranger, {"period": "month", "calls": 4})
    statuses = [(await with_key(stranger)).status_code for _ in range(9)]
    assert statuses == [200] * 7 + [429] * 2
    assert (await used(stranger, first), await used(stranger, second)) == (3, 4)


async def test_a_period_begins_anew_and_the_end_comes_by_the_clock(
    owner: Caller, stranger: Caller, clock: Clock
) -> None:
    ends = (now() + timedelta(days=1, hours=1)).isoformat()
    await granted(owner, stranger, {"period": "day", "calls": 2}, ends_at=ends)
    for _ in range(2):
        assert [(await with_key(stranger)).status_code for _ in range(3)] == [200, 200, 429]
        if clock.ahead:
            break
        clock.ahead = timedelta(days=1)
    assert (await with_key(stranger)).status_code == 429
    clock.ahead = timedelta(days=1, hours=2)
    assert (await with_key(stranger)).status_code == 404
    assert (await stranger.post(PREDICT, json=ROW)).status_code == 404


async def test_an_upgrade_counts_at_once(owner: Caller, stranger: Caller) -> None:
    found = await granted(owner, stranger, {"period": "month", "calls": 2})
    assert [(await with_key(stranger)).status_code for _ in range(3)] == [200, 200, 429]
    changed = await owner.patch(f"/entitlements/{found['id']}", json={"plan": {"period": "month", "calls": 4}})
    assert changed.status_code == 200
    assert [(await with_key(stranger)).status_code for _ in range(3)] == [200, 200, 429]


async def test_a_call_that_waits_goes_on_in_the_period_of_the_new_plan(
    owner: Caller, stranger: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota, "PATIENCE_SECONDS", 20.0)
    found = await granted(owner, stranger, {"period": "year", "calls": 1})
    assert (await with_key(stranger)).status_code == 200
    waiting = asyncio.create_task(stranger.post(PREDICT, json=ROW))
    await asyncio.sleep(0.5)
    changed = await owner.patch(f"/entitlements/{found['id']}", json={"plan": {"period": "day", "calls": 9}})
    assert changed.status_code == 200
    answers = await asyncio.gather(waiting, stranger.post(PREDICT, json=ROW))
    assert [answer.status_code for answer in answers] == [200, 200]
    await settled(stranger, found, 2)


async def test_what_a_process_knows_of_an_older_plan_takes_nothing_of_a_period_that_is_over(
    app: FastAPI, owner: Caller, stranger: Caller, tmp_path: Path
) -> None:
    found = await granted(owner, stranger, {"period": "year", "calls": 1})
    assert (await with_key(stranger)).status_code == 200
    books = ledger.Ledger(app.state.database)
    async with app.state.database.read() as session:
        known = ledger.Terms.of(await session.get_one(Entitlement, UUID(found["id"])))
    changed = await owner.patch(f"/entitlements/{found['id']}", json={"plan": {"period": "day", "calls": 9}})
    assert changed.status_code == 200
    former = quota.Quota(known, books, app.state.rates, Holdings(tmp_path), lambda _: None)
    with pytest.raises(ledger.Changed):
        await books.lease(known, span(known.period, now()).start, ledger.Units(1, 1))
    await former.acquire(1, 1, patiently=False)
    assert former.terms.period is Period.DAY
    await former.settle(everything=True)
    await settled(stranger, found, 1)


async def test_the_rate_of_the_plan_holds(owner: Caller, stranger: Caller) -> None:
    await granted(owner, stranger, {"period": "month", "calls": 1000, "rate_per_second": 5})
    started = asyncio.get_running_loop().time()
    answers = await asyncio.gather(*(with_key(stranger) for _ in range(40)))
    seconds = int(asyncio.get_running_loop().time() - started) + 1
    statuses = Counter(answer.status_code for answer in answers)
    assert 5 <= statuses[200] <= 5 * (seconds + 1)
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["type"] == "urn:argosy:problem:too-many-requests"
    assert refused.headers["retry-after"] == "1"
    await asyncio.sleep(1.1)
    assert (await with_key(stranger)).status_code == 200


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        (Period.DAY, "2027-01-03", "2027-01-04"),
        (Period.WEEK, "2026-12-28", "2027-01-04"),
        (Period.MONTH, "2027-01-01", "2027-02-01"),
        (Period.YEAR, "2027-01-01", "2028-01-01"),
    ],
)
def test_periods_are_those_of_the_calendar_in_utc(period: Period, start: str, end: str) -> None:
    found = span(period, datetime.fromisoformat("2027-01-04T03:30:00+04:00"))
    assert (found.start, found.end) == tuple(datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (start, end))
    assert found.start in found
    assert found.end not in found


def test_the_less_there_is_the_less_is_taken_at_once() -> None:
    assert [ledger.share(left, 1) for left in (0, 1, 63, 64, 1000, 10**9)] == [0, 1, 1, 2, 31, 512]
    assert ledger.share(100, 40) == 40
    assert ledger.share(1000, 0) == 0
    assert repository.in_force(now()) is not None
