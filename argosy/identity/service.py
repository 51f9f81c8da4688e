"""Decisions about accounts."""

from typing import Protocol
from uuid import UUID

from argosy.events.service import record
from argosy.identity.errors import AccountExists, InvalidCode, RegistrationClosed, UserNotFound
from argosy.identity.models import User
from argosy.identity.passwords import Passwords
from argosy.identity.recovery import request_verification
from argosy.identity.repository import SessionRepository, UserRepository
from argosy.identity.schemas import PasswordChange, Register, Registered, UserUpdate
from argosy.identity.sign_in import SignIn
from argosy.kit.clock import now
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.principal import Principal
from argosy.kit.web.etag import Precondition
from argosy.organizations.schemas import OrganizationCreate
from argosy.organizations.service import OrganizationService
from argosy.settings import Registration


class Guests(Protocol):
    """Who is invited: known to the domain of members, asked when somebody registers with an invitation."""

    async def expected(self, session: ReadSession, code: str, email: str) -> None:
        """Raise `InvalidCode` unless the code is an invitation of this address."""
        ...

    async def arrive(self, session: WriteSession, user: User, code: str) -> None:
        """Let a new user join where the code invites to."""
        ...


class AccountReader:
    """Looks accounts up."""

    def __init__(self, session: ReadSession) -> None:
        self.users = UserRepository(session)

    async def get(self, user_id: UUID) -> User:
        """Return a user; raises `UserNotFound`."""
        user = await self.users.get(user_id)
        if user is None:
            raise UserNotFound
        return user


class AccountService(AccountReader):
    """Makes and changes accounts."""

    def __init__(
        self, session: WriteSession, passwords: Passwords, sign_in: SignIn, guests: Guests | None = None
    ) -> None:
        super().__init__(session)
        self._guests = guests
        self._session = session
        self._passwords = passwords
        self._sign_in = sign_in

    async def register(self, request: Register, password_hash: str, policy: Registration) -> Registered:
        """Make an account with its personal organization; the password has been checked and hashed.

        An address that is in use is not refused: that would tell who has an account. Whoever reads its mail decides.
        With an invitation, which proves the address, one may register where registration is closed, and joins. Raises
        `RegistrationClosed`, `AccountExists`, or `InvalidCode`.
        """
        if request.invitation is not None:
            return await self._register_guest(request, password_hash, request.invitation.get_secret_value())
        if policy is Registration.CLOSED:
            raise RegistrationClosed("ask an administrator for an invitation")
        made = await self.create(request, password_hash)
        request_verification(self._session, made.id, request.email)
        return made

    async def _register_guest(self, request: Register, password_hash: str, code: str) -> Registered:
        if self._guests is None:
            raise InvalidCode("there are no invitations here")
        await self._guests.expected(self._session, code, request.email)
        made = await self.create(request, password_hash, verified=True)
        await self._guests.arrive(self._session, await self.get(made.id), code)
        return made

    async def create(
        self, request: Register, password_hash: str, *, is_admin: bool = False, verified: bool = False
    ) -> Registered:
        """Make an account, whatever the registration policy."""
        user = await self.add(
            User(
                email=request.email,
                username=request.username,
                full_name=request.full_name,
                password_hash=password_hash,
                is_admin=is_admin,
                email_verified_at=now() if verified else None,
            )
        )
        organization = await OrganizationService(self._session).personal(user.id)
        return Registered.model_validate({**_attributes(user), "organization": organization})

    async def add(self, user: User) -> User:
        """Insert a user with a personal organization; raises `AccountExists`."""
        if await self.is_taken(user.username):
            raise AccountExists("the username is in use")
        await self.users.add(user)
        request = OrganizationCreate(slug=user.username, name=user.full_name or user.username)
        organization = await OrganizationService(self._session).create(user.id, request, personal=True)
        record(self._session, "user.registered", user.username, organization.id, user_id=str(user.id))
        return user

    async def is_taken(self, username: str) -> bool:
        """Tell whether a username cannot be had: an account has it, or an organization its slug."""
        service = OrganizationService(self._session)
        return await self.users.username_exists(username) or await service.organizations.slug_exists(username)

    async def update(self, principal: Principal, request: UserUpdate, precondition: Precondition) -> User:
        """Change the caller's own account."""
        user = await self.get(principal.user_id)
        precondition.check(user.revision)
        for name, value in request.model_dump(exclude_unset=True).items():
            setattr(user, name, value)
        await self.users.flush()
        return user

    async def change_password(self, principal: Principal, request: PasswordChange) -> None:
        """Change the caller's password and end the other sign-ins.

        Raises `InvalidGrant` for a wrong current one, `Invalid` for one that will not do.
        """
        user = await self.confirm_password(principal, request.current_password.get_secret_value())
        await self.set_password(user, request.new_password.get_secret_value(), "new_password", keep=principal)

    async def confirm_password(self, principal: Principal, password: str) -> User:
        """Return the caller's account when this is its password; raises `InvalidGrant`."""
        user = await self.get(principal.user_id)
        return await self._sign_in.settle(self._session, await self._sign_in.prove(user.username, password))

    async def set_password(self, user: User, password: str, field: str, *, keep: Principal | None = None) -> None:
        """Give a user a new password; every sign-in ends, except the caller's own."""
        words = [user.username, user.email, user.full_name or ""]
        await self._passwords.check(password, words, field)
        user.password_hash = await self._passwords.hash(password)
        user.failed_sign_ins = 0
        await self.users.flush()
        await SessionRepository(self._session).revoke_all(user.id, but=keep.session_id if keep else None)
        organization = await OrganizationService(self._session).personal(user.id)
        record(self._session, "user.password_changed", user.username, organization.id, user_id=str(user.id))


def _attributes(user: User) -> dict[str, object]:
    return {column.key: getattr(user, column.key) for column in User.__mapper__.column_attrs}
