"""Signals of commits on other machines, through Redis: what changed there is known at once, not at the next look.

Nothing rests on it. While Redis is away, and for what is lost on the way, there is the look at the database each
second.
"""

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from argosy.kit.db.session import Database
from argosy.kit.ids import new_id
from argosy.kit.logs import get_logger

if TYPE_CHECKING:
    from redis.asyncio import Redis

CHANNEL = "argosy:signals"
SECONDS = 3.0
AGAIN_SECONDS = 1.0
log = get_logger(__name__)


class Given(BaseModel):
    """The signals one process gave."""

    sender: str
    names: list[str]


class SharedSignals:
    """One process's part in it."""

    def __init__(self, url: str, database: Database) -> None:
        self._url = url
        self._database = database
        self._sender = str(new_id())
        self._untold: set[str] = set()
        self._wanted = asyncio.Event()
        database.share(self._tell)

    async def run(self) -> None:
        """Tell and hear until cancelled."""
        from redis.asyncio import Redis  # noqa: PLC0415 - an extra
        from redis.exceptions import RedisError  # noqa: PLC0415

        while True:
            try:
                async with (
                    Redis.from_url(self._url, socket_connect_timeout=SECONDS, health_check_interval=10) as redis,
                    asyncio.TaskGroup() as group,
                ):
                    group.create_task(self._hear(redis))
                    group.create_task(self._publish(redis))
            except* (RedisError, OSError) as errors:
                log.warning("signals_away", error=repr(errors.exceptions[0]))
            await asyncio.sleep(AGAIN_SECONDS)

    def _tell(self, names: Collection[str]) -> None:
        self._untold.update(names)
        self._wanted.set()

    async def _publish(self, redis: "Redis") -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            names, self._untold = sorted(self._untold), set()
            if names:
                await redis.publish(CHANNEL, Given(sender=self._sender, names=names).model_dump_json())

    async def _hear(self, redis: "Redis") -> None:
        async with redis.pubsub(ignore_subscribe_messages=True) as subscribed:
            await subscribed.subscribe(CHANNEL)
            async for message in subscribed.listen():
                self._heard(message["data"])

    def _heard(self, data: bytes) -> None:
        try:
            given = Given.model_validate_json(data)
        except ValidationError:
            return
        if given.sender != self._sender:
            self._database.give(given.names)
