"""Proving a mailbox, and getting back in through it: single-use codes, sent by mail.

What is asked for is recorded as an event and done after the answer: whether an address has an account changes neither
the answer nor the time it takes.
"""

from datetime import timedelta
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from argosy.events.models import Event
from argosy.events.service import record
from argosy.identity import mails
from argosy.identity.errors import InvalidCode
from argosy.identity.models import AccountCode, CodePurpose, User
from argosy.identity.repository import CodeRepository, SessionRepository, UserRepository
from argosy.kit.clock import now
from argosy.kit.crypto import KeyRing, hash_token, new_token
from argosy.kit.db.session import WriteSession
from argosy.kit.principal import Principal
from argosy.mail.service import Postbox
from argosy.organizations.service import OrganizationService
from argosy.settings import SecuritySettings

CODE_REQUESTED = "account.code_requested"
PREFIXES = {CodePurpose.VERIFY_EMAIL: "ev_", CodePurpose.RESET_PASSWORD: "pr_"}


def request_verification(session: WriteSession, user_id: UUID, email: str, sign_in: UUID | None = None) -> None:
    """Have a code sent to an address that a user says is theirs; the sign-in that asks outlasts the change."""
    record(
        session,
        CODE_REQUESTED,
        str(user_id),
        None,
        purpose=CodePurpose.VERIFY_EMAIL,
        user_id=str(user_id),
        email=email,
        sign_in=str(sign_in) if sign_in else None,
    )


def request_reset(session: WriteSession, email: str) -> None:
    """Have a code sent to the account of an address, if there is one."""
    record(session, CODE_REQUESTED, "reset", None, purpose=CodePurpose.RESET_PASSWORD, email=email)


class CodeSender:
    """Makes the codes that were asked for, and posts them."""

    def __init__(self, keys: KeyRing, settings: SecuritySettings) -> None:
        self._keys = keys
        self._lifetime = timedelta(minutes=settings.code_minutes)

    async def handle(self, session: WriteSession, event: Event) -> None:
        """Act on a request for a code; a consumer of the outbox."""
        email, purpose = event.payload["email"], CodePurpose(event.payload["purpose"])
        users, postbox = UserRepository(session), Postbox(session, self._keys)
        owner = await users.by_verified_email(email)
        if purpose is CodePurpose.RESET_PASSWORD:
            user = owner or await users.by_unverified_email(email)
            if user is not None and user.is_active:
                postbox.post(email, *mails.reset(user.username, await self._code(session, user, event)))
            return
        user = await users.get(UUID(event.payload["user_id"]))
        if user is None or not user.is_active:
            return
        if owner is not None and owner.id != user.id:
            postbox.post(email, *mails.already_registered(owner.username))
        elif owner is None or owner.email_verified_at is None:
            postbox.post(email, *mails.verify(user.username, await self._code(session, user, event)))

    async def _code(self, session: WriteSession, user: User, event: Event) -> str:
        purpose = CodePurpose(event.payload["purpose"])
        code = new_token(PREFIXES[purpose])
        codes = CodeRepository(session)
        await codes.withdraw(user.id, purpose)
        sign_in = event.payload.get("sign_in")
        await codes.add(
            AccountCode(
                user_id=user.id,
                purpose=purpose,
                email=event.payload["email"],
                session_id=UUID(sign_in) if sign_in else None,
                code_hash=hash_token(code),
                expires_at=now() + self._lifetime,
            )
        )
        return code


class RecoveryService:
    """Takes the codes that came back."""

    def __init__(self, session: WriteSession, keys: KeyRing) -> None:
        self._session = session
        self._users = UserRepository(session)
        self._codes = CodeRepository(session)
        self._sessions = SessionRepository(session)
        self._postbox = Postbox(session, keys)

    async def verify_email(self, code: str) -> User:
        """Make the mailbox of a code the user's address; a change of it ends the other sign-ins.

        Raises `InvalidCode`, also when another account has proved the mailbox meanwhile.
        """
        taken = await self._codes.take(hash_token(code), CodePurpose.VERIFY_EMAIL)
        user = await self._users.get(taken.user_id) if taken else None
        if taken is None or user is None or not user.is_active:
            raise InvalidCode("the code is unknown, was used, or is too old")
        former, changed = user.email, user.email != taken.email
        user.email, user.email_verified_at = taken.email, now()
        try:
            await self._users.flush()
        except IntegrityError as error:
            raise InvalidCode("the code is unknown, was used, or is too old") from error
        if changed:
            await self._sessions.revoke_all(user.id, but=taken.session_id)
            await self._codes.withdraw(user.id)
            self._postbox.post(former, *mails.email_changed(user.username))
        organization = await OrganizationService(self._session).personal(user.id)
        kind = "user.email_changed" if changed else "user.email_verified"
        record(self._session, kind, user.username, organization.id, user_id=str(user.id))
        return user

    async def take_reset(self, code: str) -> User:
        """Return the user whom a reset code lets choose a password; it proves the mailbox too. Raises `InvalidCode`."""
        taken = await self._codes.take(hash_token(code), CodePurpose.RESET_PASSWORD)
        user = await self._users.get(taken.user_id) if taken else None
        if taken is None or user is None or not user.is_active or user.email != taken.email:
            raise InvalidCode("the code is unknown, was used, or is too old")
        if user.email_verified_at is None and await self._users.by_verified_email(user.email) is None:
            user.email_verified_at = now()
        self._postbox.post(user.email, *mails.password_changed(user.username))
        return user

    def propose_email(self, principal: Principal, user: User, email: str) -> None:
        """Have a code sent to a user's new address, and tell the old one."""
        request_verification(self._session, user.id, email, principal.session_id)
        if email != user.email:
            self._postbox.post(user.email, *mails.email_change_requested(user.username))
        record(self._session, "user.email_change_requested", user.username, principal.organization_id)
