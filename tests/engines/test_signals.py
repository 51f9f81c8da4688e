"""What one process changes another knows at once when both share Redis, and at the next look when it is away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from argosy.engines.signals import SharedSignals
from argosy.events.effects import CHANGED
from argosy.events.service import record
from argosy.kit.db.session import Database
from argosy.settings import DatabaseSettings
from tests.support.redis import RedisServer, redis_server

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def two(database_url: str) -> AsyncIterator[list[Database]]:
    databases = [Database(database_url, DatabaseSettings()) for _ in range(2)]
    yield databases
    for database in databases:
        await database.dispose()


async def change(database: Database) -> None:
    async with database.write() as session:
        record(session, "api_key.revoked", "a key")


async def is_heard(speaker: Database, listener: Database) -> bool:
    """Whether one hears the other; what is said before it listens is lost."""
    for _ in range(100):
        before = listener.given(CHANGED)
        await change(speaker)
        await asyncio.sleep(0.05)
        if listener.given(CHANGED) > before:
            return True
    return False


async def test_a_change_is_heard_elsewhere_and_not_twice_by_who_made_it(two: list[Database], tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        running = [asyncio.create_task(SharedSignals(server.url, one).run()) for one in two]
        assert await is_heard(*two)
        assert await is_heard(*reversed(two))
        own = two[0].given(CHANGED)
        await change(two[0])
        await asyncio.sleep(0.1)
        assert two[0].given(CHANGED) == own + 1
        await _survives_an_absence(server, two)
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def _survives_an_absence(server: RedisServer, two: list[Database]) -> None:
    server.stop()
    await change(two[0])
    server.start()
    assert await is_heard(*two)
