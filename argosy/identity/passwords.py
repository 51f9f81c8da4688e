"""Passwords: argon2id (RFC 9106), hashed in threads, as many at once as there are processors."""

import asyncio
import os
import unicodedata
from typing import Final

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from argosy.settings import SecuritySettings

_DECOY: Final = "the password of nobody, verified so that an unknown account takes as long as a known one"


class Passwords:
    """Hashes and verifies passwords off the event loop."""

    def __init__(self, settings: SecuritySettings) -> None:
        self._hash = PasswordHash(
            (Argon2Hasher(time_cost=settings.argon2_iterations, memory_cost=settings.argon2_memory_kib, parallelism=1),)
        )
        self._slots = asyncio.Semaphore(os.cpu_count() or 1)
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """Return the salted hash of a password."""
        async with self._slots:
            return await asyncio.to_thread(self._hash.hash, _normalize(password))

    async def verify(self, password: str, hashed: str | None) -> tuple[bool, str | None]:
        """Return whether a password is right, and a new hash where the parameters have changed.

        Without a hash it works as long as with one, and is never right.
        """
        if hashed is None:
            self._decoy = self._decoy or await self.hash(_DECOY)
            async with self._slots:
                await asyncio.to_thread(self._hash.verify, _normalize(password), self._decoy)
            return False, None
        async with self._slots:
            return await asyncio.to_thread(self._hash.verify_and_update, _normalize(password), hashed)


def _normalize(password: str) -> str:
    # NIST SP 800-63B-4, section 3.1.1.2: the same characters typed on two keyboards are one password.
    return unicodedata.normalize("NFKC", password)
