"""When credentials were last used: noted in memory, written in batches, so that no call waits for it."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from argosy.identity.credential_repository import ApiKeyRepository, ClientRepository
from argosy.identity.repository import SessionRepository
from argosy.kit.clock import now
from argosy.kit.db.session import Database
from argosy.kit.logs import get_logger

FLUSH_SECONDS = 2.0
WORTH_NOTING = timedelta(seconds=30)
log = get_logger(__name__)


class Activity:
    """The credentials used since the last flush; a crash loses at most a few seconds of it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keys: dict[UUID, datetime] = {}
        self._clients: dict[UUID, datetime] = {}
        self._sessions: dict[UUID, datetime] = {}

    def key_used(self, key_id: UUID, before: datetime | None) -> None:
        """Note the use of an API key."""
        _note(self._keys, key_id, before)

    def client_used(self, row_id: UUID, before: datetime | None) -> None:
        """Note the use of a client's token."""
        _note(self._clients, row_id, before)

    def session_used(self, session_id: UUID, before: datetime | None) -> None:
        """Note the use of a sign-in."""
        _note(self._sessions, session_id, before)

    async def run(self) -> None:
        """Flush until cancelled, and then once more."""
        with suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(FLUSH_SECONDS)
                await self._try_flush()
        await self._try_flush()

    async def flush(self) -> None:
        """Write what was noted."""
        keys, self._keys = self._keys, {}
        clients, self._clients = self._clients, {}
        sessions, self._sessions = self._sessions, {}
        if keys or clients or sessions:
            async with self._database.write() as session:
                await ApiKeyRepository(session).touch(keys)
                await ClientRepository(session).touch(clients)
                await SessionRepository(session).touch(sessions)

    async def _try_flush(self) -> None:
        try:
            await self.flush()
        except Exception:
            log.exception("activity_flush_failed")


def _note(seen: dict[UUID, datetime], row_id: UUID, before: datetime | None) -> None:
    moment = now()
    if before is None or moment - before > WORTH_NOTING:
        seen[row_id] = moment
