"""Passwords: argon2id (RFC 9106), hashed in threads, as many at once as there are processors."""

import asyncio
import os
import re
import secrets
import time
import unicodedata
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final, TypeVar

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from zxcvbn import zxcvbn

from argosy.kit.errors import Unavailable, invalid
from argosy.settings import SecuritySettings

T = TypeVar("T")
_DECOY: Final = "the password of nobody, verified so that an unknown account takes as long as a known one"
_PRODUCT_WORDS = ("argosy", "argosy api", "model hub")
_SEPARATORS = re.compile(r"[\W_]+")
QUEUE_PER_SLOT = 50
MIN_GUESSES_LOG10 = 8.0
REMEMBERED = 1000
REMEMBER_SECONDS = 60.0


class Passwords:
    """Hashes and verifies passwords off the event loop."""

    def __init__(self, settings: SecuritySettings) -> None:
        self._hash = PasswordHash(
            (Argon2Hasher(time_cost=settings.argon2_iterations, memory_cost=settings.argon2_memory_kib, parallelism=1),)
        )
        self._min_length = settings.password_min_length
        slots = os.cpu_count() or 1
        self._slots = asyncio.Semaphore(slots)
        self._room = slots * QUEUE_PER_SLOT
        self._decoy: str | None = None

    async def check(self, password: str, words: Sequence[str], field: str) -> None:
        """Raise `Invalid` for a password that is too short, or that a guesser would try early.

        Length and a blocklist, no rules of composition (NIST SP 800-63B-4, section 3.1.1.2): 100,000 common passwords,
        names and words, and patterns of them, with the words of the account among them.
        """
        if len(_normalize(password)) < self._min_length:
            raise invalid(["body", field], f"must have at least {self._min_length} characters", "password_too_short")
        known = [word for whole in words for word in (whole, *_SEPARATORS.split(whole)) if word]
        guesses = await asyncio.to_thread(_guesses_log10, password, [*known, *_PRODUCT_WORDS])
        if guesses < MIN_GUESSES_LOG10:
            raise invalid(["body", field], "is too easy to guess; a few unrelated words do well", "password_common")

    async def hash(self, password: str) -> str:
        """Return the salted hash of a password."""
        return await self._work(lambda: self._hash.hash(_normalize(password)))

    async def verify(self, password: str, hashed: str | None) -> tuple[bool, str | None]:
        """Return whether a password is right, and a new hash where the parameters have changed.

        Without a hash it works as long as with one, and is never right. Raises `Unavailable` when too many wait.
        """
        if hashed is None:
            self._decoy = self._decoy or await self.hash(_DECOY)
            decoy = self._decoy
            await self._work(lambda: self._hash.verify(_normalize(password), decoy))
            return False, None
        try:
            return await self._work(lambda: self._hash.verify_and_update(_normalize(password), hashed))
        except UnknownHashError:
            return False, None

    async def _work(self, work: Callable[[], T]) -> T:
        if self._room <= 0:
            raise Unavailable("too many sign-ins at once", retry_after=2)
        self._room -= 1
        try:
            async with self._slots:
                return await asyncio.to_thread(work)
        finally:
            self._room += 1


class RecentPasswords:
    """Remembers for a minute that a password was right for a hash, so that scripts with Basic do not pay for each call.

    It keeps a keyed digest under a key that lives and dies with the process, and forgets when the hash changes.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._seen: dict[bytes, float] = {}

    def knows(self, password: str, hashed: str) -> bool:
        """Tell whether this password was right for this hash within the last minute."""
        return self._seen.get(self._digest(password, hashed), 0.0) > time.monotonic()

    def remember(self, password: str, hashed: str) -> None:
        """Note that a password was right."""
        if len(self._seen) >= REMEMBERED:
            self._seen.clear()
        self._seen[self._digest(password, hashed)] = time.monotonic() + REMEMBER_SECONDS

    def _digest(self, password: str, hashed: str) -> bytes:
        return blake2b(f"{hashed}\n{_normalize(password)}".encode(), key=self._key, digest_size=32).digest()


def _guesses_log10(password: str, words: list[str]) -> float:
    """Return how many guesses a good guesser needs, as a power of ten; separators between words add nothing."""
    joined = _SEPARATORS.sub("", password) or password
    estimates = (zxcvbn(text, words, max_length=len(text)) for text in {password, joined})
    return min(float(estimate["guesses_log10"]) for estimate in estimates)


def _normalize(password: str) -> str:
    # NIST SP 800-63B-4, section 3.1.1.2: the same characters typed on two keyboards are one password.
    return unicodedata.normalize("NFKC", password)
