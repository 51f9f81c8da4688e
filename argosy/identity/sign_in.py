"""Whether a password is right: the one place that says so, for tokens, browser sessions and Basic alike.

Guessing is slowed by account and by address (NIST SP 800-63B-4, section 3.2.2). An address the account has signed in
from lately is counted apart, so that a stranger who guesses cannot keep the owner out; after 100 failures in a row new
addresses have to reset the password by mail first.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from argosy.events.service import record
from argosy.identity.errors import InvalidGrant
from argosy.identity.models import User
from argosy.identity.passwords import Passwords, RecentPasswords
from argosy.identity.repository import SessionRepository, UserRepository
from argosy.kit import context
from argosy.kit.clock import now
from argosy.kit.db.session import Database, ReadSession, WriteSession
from argosy.kit.rates import RateLimiter
from argosy.organizations.service import OrganizationReader
from argosy.settings import RatesSettings

MAX_FAILURES = 100
KNOWN_FOR = timedelta(days=30)
SIGNED_IN, FAILED = "sign_in.succeeded", "sign_in.failed"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An account that a login may mean; `trusted` is whether it has signed in from this address before."""

    user: User | None
    trusted: bool = False

    @property
    def hash(self) -> str | None:
        """The hash to verify against; None where no password can be right."""
        user = self.user
        if user is None or not user.is_active or (user.failed_sign_ins >= MAX_FAILURES and not self.trusted):
            return None
        return user.password_hash


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of checking a password: whose it is, or whose it is not. It is settled in a transaction."""

    user_id: UUID | None
    hash: str | None
    rehashed: str | None
    candidate: Candidate


class SignIn:
    """Verifies passwords, slowly and without telling more than yes or no.

    Checking takes a good part of a second on purpose, so it is done before the transaction that records the outcome:
    SQLite has one writer, who must not wait for it.
    """

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        recent: RecentPasswords,
        rates: RateLimiter,
        settings: RatesSettings,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._recent = recent
        self._rates = rates
        self._settings = settings

    async def admit(self) -> None:
        """Count an attempt of the current address; raises `TooManyRequests`."""
        standing = await self._rates.attempt(self._settings.sign_in_address, "sign-in", context.address())
        standing.require("too many attempts from your address; wait before you try again")

    async def admit_client(self, client_id: str) -> None:
        """Count a token request of a client, whose random secret cannot be guessed; raises `TooManyRequests`."""
        standing = await self._rates.hit(self._settings.anonymous, "client", client_id)
        standing.require("too many token requests; keep a token until it expires")

    async def prove(self, login: str, password: str) -> Proof:
        """Check a password; raises `TooManyRequests` or `Unavailable`."""
        await self.admit()
        name = login.strip().lower()
        async with self._database.read() as session:
            candidates = await _candidates(session, name)
        bucket = ("account", name, context.address() if any(one.trusted for one in candidates) else "")
        standing = await self._rates.attempt(self._settings.sign_in_account, *bucket)
        standing.require("too many attempts; wait before you try again")
        outcomes = await asyncio.gather(*(self._passwords.verify(password, one.hash) for one in candidates))
        for candidate, (right, rehashed) in zip(candidates, outcomes, strict=True):
            if right and candidate.user is not None:
                await self._rates.forgive(self._settings.sign_in_account, *bucket)
                return Proof(candidate.user.id, candidate.hash, rehashed, candidate)
        known = next((one for one in candidates if one.user is not None), Candidate(None))
        return Proof(None, None, None, known)

    async def settle(self, session: WriteSession, proof: Proof) -> User:
        """Record what came of a check and return the user.

        Raises `InvalidGrant`, which keeps what was recorded; also when the password was changed in between.
        """
        user = await UserRepository(session).get(proof.user_id) if proof.user_id else None
        if user is None or not user.is_active or user.password_hash != proof.hash:
            await _note_failure(session, proof.candidate)
            raise InvalidGrant("wrong username or password")
        if proof.rehashed is not None:
            user.password_hash = proof.rehashed
        if user.failed_sign_ins:
            user.failed_sign_ins = 0
        record(session, SIGNED_IN, user.username, await _personal(session, user), user_id=str(user.id))
        return user

    async def remembered(self, session: ReadSession, login: str, password: str) -> User | None:
        """Return the user when this password was right within the last minute: the quick way for Basic."""
        for candidate in await _candidates(session, login.strip().lower()):
            hashed = candidate.hash
            if hashed is not None and self._recent.knows(password, hashed):
                return candidate.user
        return None

    def remember(self, user: User, password: str) -> None:
        """Let `remembered` know a password that was right."""
        if user.password_hash is not None:
            self._recent.remember(password, user.password_hash)


async def _candidates(session: ReadSession, name: str) -> list[Candidate]:
    """Return the accounts a login may mean: always as many for an address, and for a name, whoever exists."""
    users = UserRepository(session)
    if "@" not in name:
        found = [await users.by_username(name)]
    else:
        found = [await users.by_verified_email(name), await users.by_unverified_email(name)]
    sessions, since = SessionRepository(session), now() - KNOWN_FOR
    nobody = UUID(int=0)
    return [
        Candidate(user, await sessions.is_known_address(user.id if user else nobody, context.address(), since))
        for user in found
    ]


async def _note_failure(session: WriteSession, known: Candidate) -> None:
    """Count and record a failure; for an unknown account too, so that both take as long."""
    user = known.user
    await UserRepository(session).count_failure(user.id if user and not known.trusted else UUID(int=0))
    # What was typed may be a password in the wrong field: only a name that exists is written down.
    subject = user.username if user else "unknown"
    record(session, FAILED, subject, await _personal(session, user), known_address=known.trusted)


async def _personal(session: ReadSession, user: User | None) -> UUID | None:
    membership = await OrganizationReader(session).membership(user.id if user else UUID(int=0), None)
    return membership.organization_id if membership else None
