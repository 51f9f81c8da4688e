"""SQL of users, their sign-ins and codes."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, or_, select, update

from argosy.identity.models import AccountCode, CodePurpose, Identity, Session, SessionKind, User
from argosy.kit.clock import now
from argosy.kit.repository import Repository


class UserRepository(Repository[User]):
    """Users."""

    model = User

    async def by_username(self, username: str) -> User | None:
        """Return a user by username."""
        return await self.one_or_none(select(User).where(User.username == username))

    async def by_verified_email(self, email: str) -> User | None:
        """Return the user whom an address belongs to."""
        return await self.one_or_none(select(User).where(User.email == email, User.email_verified_at.is_not(None)))

    async def by_unverified_email(self, email: str) -> User | None:
        """Return the first user who gave an address without having verified it."""
        claimed = select(User).where(User.email == email, User.email_verified_at.is_(None))
        return await self.one_or_none(claimed.order_by(User.created_at, User.id).limit(1))

    async def get(self, user_id: UUID) -> User | None:
        """Return a user by id."""
        return await self.one_or_none(select(User).where(User.id == user_id))

    async def username_exists(self, username: str) -> bool:
        """Tell whether an account has a username."""
        return bool(await self._session.scalar(select(exists().where(User.username == username))))

    async def any(self) -> bool:
        """Tell whether there is any user."""
        return bool(await self._session.scalar(select(exists().where(User.id.is_not(None)))))

    def matching(self, search: str | None, *, active: bool | None) -> Select[User]:
        """Select users whose name or address holds a text, for platform administrators."""
        statement = select(User)
        if search:
            fields = (User.username, User.email, User.full_name)
            statement = statement.where(or_(*(field.icontains(search, autoescape=True) for field in fields)))
        return statement if active is None else statement.where(User.is_active.is_(active))

    async def count_failure(self, user_id: UUID) -> None:
        """Count a failed sign-in."""
        values = {"failed_sign_ins": User.failed_sign_ins + 1}
        await self._session.execute(
            update(User).where(User.id == user_id).values(values).execution_options(synchronize_session=False)
        )

    async def other_admins(self, user_id: UUID) -> int:
        """Return how many active platform administrators there are besides a user."""
        statement = select(func.count()).where(User.is_admin, User.is_active, User.id != user_id)
        return await self._session.scalar(statement) or 0


def live_session(moment: datetime, idle: timedelta) -> ColumnElement[bool]:
    """Select sign-ins that hold: not ended, not too old, and a browser's not idle for too long."""
    seen = func.coalesce(Session.last_seen_at, Session.created_at)
    return and_(
        Session.revoked_at.is_(None),
        Session.expires_at > moment,
        or_(Session.kind != SessionKind.BROWSER, seen > moment - idle),
    )


class SessionRepository(Repository[Session]):
    """Sign-ins."""

    model = Session

    async def get(self, session_id: UUID) -> Session | None:
        """Return a sign-in by id."""
        return await self.one_or_none(select(Session).where(Session.id == session_id))

    async def live(self, session_id: UUID, idle: timedelta, *, lock: bool = False) -> Session | None:
        """Return a sign-in that holds, of a user who may sign in; locked, nobody else changes it meanwhile."""
        statement = (
            select(Session)
            .join(User, User.id == Session.user_id)
            .where(Session.id == session_id, live_session(now(), idle), User.is_active)
        )
        return await self.one_or_none(statement.with_for_update(of=Session) if lock else statement)

    def live_of(self, user_id: UUID, idle: timedelta) -> Select[Session]:
        """Select a user's sign-ins that hold."""
        return select(Session).where(Session.user_id == user_id, live_session(now(), idle))

    async def is_known_address(self, user_id: UUID, address: str, since: datetime) -> bool:
        """Tell whether a user has signed in from an address lately."""
        known = exists().where(Session.user_id == user_id, Session.address == address, Session.created_at > since)
        return bool(await self._session.scalar(select(known)))

    async def revoke(self, session_id: UUID) -> None:
        """End a sign-in."""
        await self._end(Session.id == session_id)

    async def revoke_all(self, user_id: UUID, *, but: UUID | None = None) -> None:
        """End a user's sign-ins, except one."""
        await self._end(Session.user_id == user_id, *([Session.id != but] if but else []))

    async def revoke_of_client(self, client_id: str) -> None:
        """End the sign-ins that were given to a client."""
        await self._end(Session.client_id == client_id)

    async def _end(self, *which: ColumnElement[bool]) -> None:
        await self._session.execute(
            update(Session)
            .where(*which, Session.revoked_at.is_(None))
            .values(revoked_at=now())
            .execution_options(synchronize_session=False)
        )

    async def touch(self, seen: dict[UUID, datetime]) -> None:
        """Note when sign-ins were last used."""
        await touch(self, Session, Session.last_seen_at.key, seen)

    async def forget_ended(self, before: datetime) -> None:
        """Delete sign-ins that ended long ago."""
        await self._session.execute(delete(Session).where(Session.expires_at < before))


class CodeRepository(Repository[AccountCode]):
    """Codes sent by mail."""

    model = AccountCode

    async def take(self, code_hash: str, purpose: CodePurpose) -> AccountCode | None:
        """Use a code up and return it, or None when it is unknown, used or too old; of two takers one gets it."""
        statement = (
            update(AccountCode)
            .where(
                AccountCode.code_hash == code_hash,
                AccountCode.purpose == purpose,
                AccountCode.used_at.is_(None),
                AccountCode.expires_at > now(),
            )
            .values(used_at=now())
            .returning(AccountCode)
            .execution_options(synchronize_session=False)
        )
        return (await self._session.scalars(statement)).one_or_none()

    async def withdraw(self, user_id: UUID, purpose: CodePurpose | None = None) -> None:
        """Make a user's unused codes worthless."""
        statement = delete(AccountCode).where(AccountCode.user_id == user_id, AccountCode.used_at.is_(None))
        await self._session.execute(statement if purpose is None else statement.where(AccountCode.purpose == purpose))

    async def forget_old(self, before: datetime) -> None:
        """Delete codes that are long over."""
        await self._session.execute(delete(AccountCode).where(AccountCode.expires_at < before))


class IdentityRepository(Repository[Identity]):
    """Accounts at other providers."""

    model = Identity

    async def user_of(self, issuer: str, subject: str) -> User | None:
        """Return the user an account at a provider belongs to."""
        statement = select(User).join(Identity, Identity.user_id == User.id)
        return (
            await self._session.scalars(statement.where(Identity.issuer == issuer, Identity.subject == subject))
        ).one_or_none()


async def touch(repository: Repository[Any], model: type[Any], column: str, seen: dict[UUID, datetime]) -> None:
    """Note when rows were last used."""
    session = repository._session  # noqa: SLF001 - the repositories of one domain share this statement
    for row_id, moment in sorted(seen.items()):
        await session.execute(
            update(model)
            .where(model.id == row_id)
            .values({column: moment, "updated_at": model.updated_at})
            .execution_options(synchronize_session=False)
        )
