"""Large bodies pass in their order, a few in each turn of the event loop."""

import asyncio
import time

import pytest

from argosy.serving import turnstile
from argosy.serving.turnstile import Turnstile


async def test_quick_ones_pass_in_one_turn_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turnstile, "TURN_SECONDS", 60.0)  # however busy the machine is
    passed: list[int] = []
    gate = Turnstile()
    for number in range(5):
        gate.enter(lambda number=number: passed.append(number), 1)  # type: ignore[misc]
    assert passed == []
    await asyncio.sleep(0)
    assert passed == [0, 1, 2, 3, 4]


async def test_sockets_are_looked_at_between_slow_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turnstile, "TURN_SECONDS", 0.001)
    passed: list[int] = []
    gate = Turnstile()

    def slow(number: int) -> None:
        time.sleep(0.002)
        passed.append(number)

    for number in range(3):
        gate.enter(lambda number=number: slow(number), 1)  # type: ignore[misc]
    turns = []
    for _ in range(3):
        await asyncio.sleep(0)
        turns.append(list(passed))
    assert turns == [[0], [0, 1], [0, 1, 2]]


async def test_tasks_have_a_turn_each() -> None:
    order: list[str] = []
    gate = Turnstile()

    async def worker(name: str) -> None:
        await gate.turn(1)
        order.append(name)

    workers = [asyncio.create_task(worker(name)) for name in "abc"]
    await asyncio.sleep(0)
    gate.enter(lambda: order.append("d"), 1)
    lengths = []
    while len(order) < 4:
        await asyncio.sleep(0)
        lengths.append(len(order))
    await asyncio.gather(*workers)
    assert order == ["a", "b", "c", "d"]
    assert {0, 1, 2, 4} <= set(lengths)


async def test_one_that_raises_or_has_gone_does_not_hold_up_the_others() -> None:
    heard: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: heard.append(context))
    passed: list[str] = []
    gate = Turnstile()
    gone = asyncio.create_task(gate.turn(1))
    await asyncio.sleep(0)
    gone.cancel()

    def broken() -> None:
        raise RuntimeError

    gate.enter(broken, 1)
    gate.enter(lambda: passed.append("after"), 1)
    for _ in range(5):
        await asyncio.sleep(0)
    loop.set_exception_handler(None)  # other tests have the same loop
    assert passed == ["after"]
    assert [type(one["exception"]) for one in heard] == [RuntimeError]
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_what_finds_too_much_waiting_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turnstile, "MOST_BYTES", 10)
    monkeypatch.setattr(turnstile, "TURN_SECONDS", 0.0)
    passed: list[str] = []
    gate = Turnstile()
    for name in "abc":
        gate.enter(lambda name=name: passed.append(name), 5)  # type: ignore[misc]
    await gate.turn(5)
    assert passed == []
    await asyncio.sleep(0)
    assert passed == ["a", "c"]
    gate.enter(lambda: passed.append("d"), 5)
    for _ in range(3):
        await asyncio.sleep(0)
    assert passed == ["a", "c", "b", "d"]
