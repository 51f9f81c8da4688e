"""Decisions about accounts and sign-ins."""

import hmac
import secrets
from datetime import timedelta
from uuid import UUID

from argosy.events.service import record
from argosy.identity.errors import AccountExists, InvalidGrant, RegistrationClosed, UnsupportedGrant
from argosy.identity.models import Session, User
from argosy.identity.passwords import Passwords
from argosy.identity.repository import SessionRepository, UserRepository
from argosy.identity.schemas import Register, Registered, Token, TokenRequest, UserUpdate
from argosy.identity.tokens import AccessClaims, AccessTokens
from argosy.kit.clock import now
from argosy.kit.crypto import hash_token
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.errors import Forbidden, NotFound, invalid
from argosy.kit.ids import new_id
from argosy.kit.principal import Principal, PrincipalKind, Scope
from argosy.kit.web.etag import Precondition
from argosy.organizations.errors import SlugTaken
from argosy.organizations.schemas import OrganizationCreate
from argosy.organizations.service import OrganizationService
from argosy.settings import Registration, SecuritySettings

REFRESH_PREFIX = "rt_"
_ID_LENGTH = 32


class AccountReader:
    """Looks accounts up."""

    def __init__(self, session: ReadSession) -> None:
        self.users = UserRepository(session)

    async def get(self, user_id: UUID) -> User:
        """Return a user."""
        user = await self.users.get(user_id)
        if user is None:
            raise NotFound("user not found")
        return user


class AccountService(AccountReader):
    """Makes and changes accounts."""

    def __init__(self, session: WriteSession, passwords: Passwords, settings: SecuritySettings) -> None:
        super().__init__(session)
        self._session = session
        self._passwords = passwords
        self._settings = settings

    async def register(self, request: Register, policy: Registration) -> Registered:
        """Make an account with its personal organization.

        Raises `RegistrationClosed`, `AccountExists`, or `Invalid` for a short password.
        """
        if policy is Registration.CLOSED:
            raise RegistrationClosed("ask an administrator for an account")
        return await self.create(request)

    async def create(self, request: Register, *, is_admin: bool = False) -> Registered:
        """Make an account, whatever the registration policy."""
        password = request.password.get_secret_value()
        if len(password) < self._settings.password_min_length:
            shortest = self._settings.password_min_length
            raise invalid(["body", "password"], f"must have at least {shortest} characters", "password_too_short")
        if await self.users.taken(request.email, request.username):
            raise AccountExists("the e-mail or the username is in use")
        user = await self.users.add(
            User(
                email=request.email,
                username=request.username,
                full_name=request.full_name,
                password_hash=await self._passwords.hash(password),
                is_admin=is_admin,
            )
        )
        try:
            organization = await OrganizationService(self._session).create(
                user.id, OrganizationCreate(slug=user.username, name=user.full_name or user.username), personal=True
            )
        except SlugTaken as error:
            raise AccountExists("the e-mail or the username is in use") from error
        record(self._session, "user.registered", user.username, organization.id)
        return Registered.model_validate({**_attributes(user), "organization": organization})

    async def update(self, principal: Principal, request: UserUpdate, precondition: Precondition) -> User:
        """Change the caller's own account; an API key is no person and has none."""
        if principal.kind is not PrincipalKind.USER:
            raise Forbidden("an API key cannot change an account")
        user = await self.get(principal.user_id)
        precondition.check(user.revision)
        for name, value in request.model_dump(exclude_unset=True).items():
            setattr(user, name, value)
        await self._session.flush()
        return user


class TokenService:
    """The OAuth2 token endpoint."""

    def __init__(
        self, session: WriteSession, passwords: Passwords, tokens: AccessTokens, settings: SecuritySettings
    ) -> None:
        self._session = session
        self._users = UserRepository(session)
        self._sessions = SessionRepository(session)
        self._passwords = passwords
        self._tokens = tokens
        self._lifetime = timedelta(days=settings.refresh_token_days)

    async def grant(self, request: TokenRequest) -> Token:
        """Answer a token request; raises `InvalidGrant` or `UnsupportedGrant`."""
        if request.grant_type == "password":
            return await self._by_password(request)
        if request.grant_type == "refresh_token":
            return await self._by_refresh(request)
        raise UnsupportedGrant("use grant_type=password or refresh_token", error="unsupported_grant_type")

    async def _by_password(self, request: TokenRequest) -> Token:
        if request.username is None or request.password is None:
            missing = "username" if request.username is None else "password"
            raise invalid(["body", missing], "Field required", "missing")
        user = await self._users.by_login(request.username)
        known = user.password_hash if user and user.is_active else None
        right, rehashed = await self._passwords.verify(request.password.get_secret_value(), known)
        if user is None or not right:
            raise InvalidGrant("wrong username or password")
        if rehashed is not None:
            user.password_hash = rehashed
        session_id, secret = new_id(), secrets.token_urlsafe(32)
        await self._sessions.add(
            Session(id=session_id, user_id=user.id, refresh_hash=hash_token(secret), expires_at=now() + self._lifetime)
        )
        return self._issue(session_id, user.id, secret, request.scope)

    async def _by_refresh(self, request: TokenRequest) -> Token:
        if request.refresh_token is None:
            raise invalid(["body", "refresh_token"], "Field required", "missing")
        session_id, secret = _split(request.refresh_token.get_secret_value())
        row = await self._sessions.get(session_id)
        if row is None or not await self._sessions.is_live(row.id, row.user_id):
            raise InvalidGrant("the refresh token is unknown or has ended")
        if not hmac.compare_digest(row.refresh_hash, hash_token(secret)):
            await self._sessions.revoke(row.id)
            raise InvalidGrant("the refresh token was used before; sign in again")
        renewed = secrets.token_urlsafe(32)
        row.refresh_hash = hash_token(renewed)
        await self._session.flush()
        return self._issue(row.id, row.user_id, renewed, request.scope)

    def _issue(self, session_id: UUID, user_id: UUID, secret: str, asked: str) -> Token:
        known = {scope.value for scope in Scope}
        scopes = frozenset(Scope(name) for name in asked.split() if name in known) or frozenset(Scope)
        return Token(
            access_token=self._tokens.issue(AccessClaims(user_id, session_id, scopes)),
            expires_in=int(self._tokens.lifetime.total_seconds()),
            refresh_token=f"{REFRESH_PREFIX}{session_id.hex}{secret}",
            scope=" ".join(sorted(scopes)),
        )


def _split(token: str) -> tuple[UUID, str]:
    body = token.removeprefix(REFRESH_PREFIX)
    try:
        return UUID(hex=body[:_ID_LENGTH]), body[_ID_LENGTH:]
    except ValueError as error:
        raise InvalidGrant("the refresh token is unknown or has ended") from error


def _attributes(user: User) -> dict[str, object]:
    return {column.key: getattr(user, column.key) for column in User.__mapper__.column_attrs}
