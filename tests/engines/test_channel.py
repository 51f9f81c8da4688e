"""Processes of one machine that tell and ask each other, and what happens when one is gone or does not answer."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from pydantic import JsonValue

from argosy.engines.channel import Channel, Handler, Unanswered
from argosy.engines.counting import CrewRates, counting
from argosy.engines.rates import SharedRateLimiter


@asynccontextmanager
async def pair(handlers: Mapping[str, Handler]) -> AsyncIterator[tuple[Channel, socket.socket]]:
    """A channel to one that answers with these handlers, and the other's end."""
    ours, theirs = socket.socketpair()
    channel, other = Channel({}), Channel(handlers)
    running = {await channel.open(ours), await other.open(theirs)}
    yield channel, theirs
    ours.close()
    for task in running:
        task.cancel()
    await asyncio.wait(running)


async def echo(body: JsonValue) -> JsonValue:
    return body


async def fail(_: JsonValue) -> JsonValue:
    raise ValueError("no")


async def test_answers_go_to_who_asked() -> None:
    async with pair({"echo": echo}) as (channel, _):
        assert await asyncio.gather(*(channel.ask("echo", [number]) for number in range(50))) == [
            [number] for number in range(50)
        ]


@pytest.mark.parametrize("kind", ["fail", "unknown"])
async def test_what_is_not_answered_is_not_waited_for(kind: str) -> None:
    async with pair({"fail": fail, "echo": echo}) as (channel, _):
        with pytest.raises(Unanswered):
            await channel.ask(kind, seconds=0.1)
        assert await channel.ask("echo", "still there") == "still there"


async def test_workers_count_together_and_each_for_itself_without_a_supervisor() -> None:
    async with pair(counting(SharedRateLimiter("memory://"))) as (channel, theirs):
        rates = [CrewRates(channel), CrewRates(channel)]
        for kind in ("hit", "attempt"):
            standings = [await getattr(one, kind)(5, kind) for _ in range(5) for one in rates]
            assert [standing.admitted for standing in standings].count(True) == 5
        await rates[0].forgive(5, "attempt")
        assert (await rates[1].attempt(5, "attempt")).admitted
        theirs.shutdown(socket.SHUT_RDWR)
        alone = [await rates[0].hit(5, "hit") for _ in range(8)]
        assert [standing.admitted for standing in alone].count(True) == 5
