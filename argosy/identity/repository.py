"""SQL of users, sign-ins and API keys."""

from uuid import UUID

from sqlalchemy import exists, or_, select, update

from argosy.identity.models import ApiKey, Session, User
from argosy.kit.clock import now
from argosy.kit.repository import Repository, TenantRepository
from argosy.organizations.models import Organization


class UserRepository(Repository[User]):
    """Users."""

    model = User

    async def by_login(self, login: str) -> User | None:
        """Return a user by username or e-mail."""
        name = login.strip().lower()
        return await self.one_or_none(select(User).where(or_(User.username == name, User.email == name)))

    async def get(self, user_id: UUID) -> User | None:
        """Return a user by id."""
        return await self.one_or_none(select(User).where(User.id == user_id))

    async def taken(self, email: str, username: str) -> bool:
        """Tell whether an account has this e-mail or username."""
        clash = exists().where(or_(User.email == email, User.username == username))
        return bool(await self._session.scalar(select(clash)))

    async def any(self) -> bool:
        """Tell whether there is any user."""
        return bool(await self._session.scalar(select(exists().where(User.id.is_not(None)))))


class SessionRepository(Repository[Session]):
    """Sign-ins."""

    model = Session

    async def get(self, session_id: UUID) -> Session | None:
        """Return a sign-in by id."""
        return await self.one_or_none(select(Session).where(Session.id == session_id))

    async def is_live(self, session_id: UUID, user_id: UUID) -> bool:
        """Tell whether a user's sign-in still holds."""
        statement = (
            select(Session.id)
            .join(User, User.id == Session.user_id)
            .where(
                Session.id == session_id,
                Session.user_id == user_id,
                Session.revoked_at.is_(None),
                Session.expires_at > now(),
                User.is_active,
            )
        )
        return await self._session.scalar(statement) is not None

    async def revoke(self, session_id: UUID) -> None:
        """End a sign-in."""
        await self._session.execute(update(Session).where(Session.id == session_id).values(revoked_at=now()))


class ApiKeyRepository(TenantRepository[ApiKey]):
    """API keys of the caller's organization."""

    model = ApiKey

    async def by_secret(self, secret_hash: str) -> tuple[ApiKey, str] | None:
        """Return a live key by the hash of its secret, with its organization's slug."""
        statement = (
            select(ApiKey, Organization.slug)
            .join(Organization, Organization.id == ApiKey.organization_id)
            .where(
                ApiKey.secret_hash == secret_hash,
                ApiKey.revoked_at.is_(None),
                or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now()),
            )
        )
        row = (await self._session.execute(statement)).one_or_none()
        return (row[0], row[1]) if row else None
