"""What platform administrators do with accounts. Everything they look at and change is recorded."""

from uuid import UUID

from argosy.events.service import record
from argosy.identity.errors import LastOwner, UserNotFound
from argosy.identity.models import User
from argosy.identity.repository import SessionRepository, UserRepository
from argosy.identity.schemas import AccountUpdate
from argosy.kit.db.session import WriteSession
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.web.etag import Precondition
from argosy.organizations.service import OrganizationService


class AdministrationService:
    """Looks accounts up and changes them; reading is recorded too, so it needs a session that may write."""

    def __init__(self, session: WriteSession) -> None:
        self._session = session
        self._users = UserRepository(session)
        self._organizations = OrganizationService(session)

    async def list(self, query: PageQuery, sort: str, search: str | None, *, active: bool | None) -> Listing[User]:
        """Return accounts."""
        record(self._session, "admin.users_listed", "users", None, search=bool(search))
        return await self._users.page(self._users.matching(search, active=active), query, sort)

    async def show(self, user_id: UUID) -> User:
        """Return an account; raises `UserNotFound`."""
        user = await self._get(user_id)
        record(self._session, "admin.user_read", user.username, None, user_id=str(user.id))
        return user

    async def update(self, user_id: UUID, request: AccountUpdate, precondition: Precondition) -> User:
        """Disable, enable, promote or demote an account; disabling ends its sign-ins and keys at once.

        Raises `UserNotFound`, or `LastOwner` when no administrator would be left.
        """
        user = await self._get(user_id)
        precondition.check(user.revision)
        changes = request.model_dump(exclude_unset=True, exclude_none=True)
        if user.is_admin and user.is_active and changes.items() & {("is_active", False), ("is_admin", False)}:
            await self._require_other_admin(user)
        for name, value in changes.items():
            setattr(user, name, value)
        await self._users.flush()
        if changes.get("is_active") is False:
            await SessionRepository(self._session).revoke_all(user.id)
        record(self._session, "admin.user_updated", user.username, None, user_id=str(user.id), **changes)
        return user

    async def delete(self, user_id: UUID, precondition: Precondition) -> None:
        """Delete an account with its personal organization; its name in other records stays.

        Raises `UserNotFound`, or `LastOwner` while an organization of others would be left without an owner.
        """
        user = await self._get(user_id)
        precondition.check(user.revision)
        if user.is_admin and user.is_active:
            await self._require_other_admin(user)
        orphaned = await self._organizations.owned_alone_by(user.id)
        if orphaned:
            raise LastOwner(f"hand over first: {', '.join(sorted(orphaned)[:5])}")
        await self._organizations.delete_personal(user.id)
        await self._users.delete(user)
        record(self._session, "admin.user_deleted", user.username, None, user_id=str(user.id))

    async def _get(self, user_id: UUID) -> User:
        user = await self._users.get(user_id)
        if user is None:
            raise UserNotFound
        return user

    async def _require_other_admin(self, user: User) -> None:
        if not await self._users.other_admins(user.id):
            raise LastOwner("the platform needs an administrator")
