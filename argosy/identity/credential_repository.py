"""SQL of the credentials of organizations: API keys, OAuth2 clients and what they were given."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, delete, exists, or_, select, update

from argosy.identity.models import ApiKey, AuthorizationCode, Client, RevokedToken, SigningKey, User
from argosy.identity.repository import touch
from argosy.kit.clock import now
from argosy.kit.db import dialects
from argosy.kit.principal import Role
from argosy.kit.repository import Repository, TenantRepository
from argosy.organizations.models import Membership, Organization


@dataclass(frozen=True, slots=True)
class LiveKey:
    """An API key that holds, with what its maker may do now."""

    key: ApiKey
    slug: str
    role: Role
    is_admin: bool


class ApiKeyRepository(TenantRepository[ApiKey]):
    """API keys of the caller's organization."""

    model = ApiKey

    async def by_secret(self, secret_hash: str) -> LiveKey | None:
        """Return a live key by the hash of its secret; its maker must be an active member still."""
        moment = now()
        statement = (
            select(ApiKey, Organization.slug, Membership.role, User.is_admin)
            .join(Organization, Organization.id == ApiKey.organization_id)
            .join(User, and_(User.id == ApiKey.created_by, User.is_active))
            .join(
                Membership,
                and_(Membership.organization_id == ApiKey.organization_id, Membership.user_id == ApiKey.created_by),
            )
            .where(
                or_(
                    ApiKey.secret_hash == secret_hash,
                    and_(ApiKey.former_hash == secret_hash, ApiKey.former_until > moment),
                ),
                ApiKey.revoked_at.is_(None),
                or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > moment),
            )
        )
        row = (await self._session.execute(statement)).one_or_none()
        return LiveKey(*row) if row else None

    async def touch(self, seen: dict[UUID, datetime]) -> None:
        """Note when keys were last used."""
        await touch(self, ApiKey, ApiKey.last_used_at.key, seen)


class ClientRepository(TenantRepository[Client]):
    """OAuth2 clients of the caller's organization."""

    model = Client

    async def live(self, client_id: str) -> tuple[Client, str] | None:
        """Return a client that holds by its public id, with its organization's slug."""
        statement = (
            select(Client, Organization.slug)
            .join(Organization, Organization.id == Client.organization_id)
            .where(Client.client_id == client_id, Client.revoked_at.is_(None))
        )
        row = (await self._session.execute(statement)).one_or_none()
        return (row[0], row[1]) if row else None

    async def touch(self, seen: dict[UUID, datetime]) -> None:
        """Note when clients were last used."""
        await touch(self, Client, Client.last_used_at.key, seen)


class AuthorizationCodeRepository(Repository[AuthorizationCode]):
    """What people allowed clients."""

    model = AuthorizationCode

    async def by_hash(self, code_hash: str) -> AuthorizationCode | None:
        """Return a code by its hash; nobody else changes it until the transaction ends."""
        statement = select(AuthorizationCode).where(AuthorizationCode.code_hash == code_hash)
        return await self.one_or_none(statement.with_for_update())

    async def forget_old(self, before: datetime) -> None:
        """Delete codes that are long over."""
        await self._session.execute(delete(AuthorizationCode).where(AuthorizationCode.expires_at < before))


class RevokedTokenRepository(Repository[RevokedToken]):
    """Access tokens that were ended early."""

    model = RevokedToken

    async def contains(self, jti: str) -> bool:
        """Tell whether a token was ended."""
        return bool(await self._session.scalar(select(exists().where(RevokedToken.jti == jti))))

    async def put(self, jti: str, expires_at: datetime) -> None:
        """End a token; once is enough."""
        insert = dialects.insert(self._session.dialect, RevokedToken.__table__)  # type: ignore[arg-type]
        await self._session.execute(insert.values(jti=jti, expires_at=expires_at).on_conflict_do_nothing())

    async def forget_expired(self) -> None:
        """Forget tokens whose time was up anyway."""
        await self._session.execute(delete(RevokedToken).where(RevokedToken.expires_at < now()))


class SigningKeyRepository(Repository[SigningKey]):
    """Keys that sign access tokens."""

    model = SigningKey

    async def usable(self) -> list[SigningKey]:
        """Return the keys that sign or still verify, newest first."""
        usable = or_(SigningKey.verify_until.is_(None), SigningKey.verify_until > now())
        statement = select(SigningKey).where(usable).order_by(SigningKey.created_at.desc(), SigningKey.id)
        return list(await self._session.scalars(statement))

    async def retire(self, until: datetime, *, but: str) -> None:
        """Let every key but one only verify, until a time."""
        statement = update(SigningKey).where(SigningKey.verify_until.is_(None), SigningKey.id != but)
        await self._session.execute(statement.values(verify_until=until).execution_options(synchronize_session=False))

    async def forget_expired(self) -> None:
        """Delete keys that verify nothing any more."""
        await self._session.execute(delete(SigningKey).where(SigningKey.verify_until < now()))
