"""Decisions about API keys."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from argosy.events.service import record
from argosy.identity.credential_repository import ApiKeyRepository
from argosy.identity.errors import ApiKeyNotFound, ScopeNotHeld
from argosy.identity.models import ApiKey
from argosy.identity.schemas import ApiKeyCreate, ApiKeyCreated, ApiKeyRead, Rotation
from argosy.kit.clock import now
from argosy.kit.crypto import hash_token, new_token
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.policy import DELEGABLE_SCOPES
from argosy.kit.principal import Principal, Scope
from argosy.organizations.service import OrganizationReader

KEY_PREFIX = "ak_"
PREFIX_LENGTH, SUFFIX_LENGTH = 11, 4


def require_delegable(principal: Principal, scopes: Sequence[Scope]) -> None:
    """Raise `ScopeNotHeld` for scopes that the caller does not hold or that only a person may."""
    excess = sorted(set(scopes) - principal.scopes)
    if excess:
        raise ScopeNotHeld(f"you do not hold {', '.join(excess)}")
    personal = sorted(set(scopes) - DELEGABLE_SCOPES)
    if personal:
        raise ScopeNotHeld(f"only a person may hold {', '.join(personal)}")


class ApiKeyReader:
    """Looks API keys up."""

    def __init__(self, session: ReadSession) -> None:
        self.keys = ApiKeyRepository(session)
        self._organizations = OrganizationReader(session)

    async def list(self, principal: Principal, org: str, query: PageQuery, sort: str) -> Listing[ApiKey]:
        """Return the keys of the caller's organization."""
        await self._organizations.get(principal, org)
        return await self.keys.page(self.keys.readable_by(principal), query, sort)


class ApiKeyService(ApiKeyReader):
    """Makes, rotates and revokes API keys."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)
        self._session = session

    async def create(self, principal: Principal, org: str, request: ApiKeyCreate) -> ApiKeyCreated:
        """Make a key; raises `ScopeNotHeld` when it would hold more than its maker."""
        await self._organizations.get(principal, org)
        require_delegable(principal, request.scopes)
        secret = new_token(KEY_PREFIX)
        row = await self.keys.add(
            ApiKey(
                organization_id=principal.organization_id,
                name=request.name,
                scopes=sorted(set(request.scopes)),
                models=_narrowed(principal, request.models),
                networks=[str(network) for network in request.networks] if request.networks else None,
                expires_at=request.expires_at,
                created_by=principal.user_id,
                **_kept(secret),
            )
        )
        record(self._session, "api_key.created", str(row.id), row.organization_id, name=row.name, scopes=[*row.scopes])
        return _shown(row, secret)

    async def rotate(self, principal: Principal, org: str, key_id: UUID, request: Rotation) -> ApiKeyCreated:
        """Give a key a new secret; the former one is good for as long as asked. Raises `ApiKeyNotFound`."""
        row = await self._mine(principal, org, key_id)
        require_delegable(principal, [Scope(scope) for scope in row.scopes])
        secret = new_token(KEY_PREFIX)
        row.former_hash, row.former_until = row.secret_hash, now() + timedelta(seconds=request.overlap_seconds)
        for name, value in _kept(secret).items():
            setattr(row, name, value)
        await self.keys.flush()
        record(self._session, "api_key.rotated", str(row.id), row.organization_id, name=row.name)
        return _shown(row, secret)

    async def revoke(self, principal: Principal, org: str, key_id: UUID) -> None:
        """End a key at once; raises `ApiKeyNotFound`."""
        await self._organizations.get(principal, org)
        row = await self.keys.one_or_none(self.keys.writable_by(principal).where(ApiKey.id == key_id))
        if row is None:
            raise ApiKeyNotFound
        row.revoked_at = row.revoked_at or now()
        await self.keys.flush()
        record(self._session, "api_key.revoked", str(row.id), row.organization_id, name=row.name)

    async def _mine(self, principal: Principal, org: str, key_id: UUID) -> ApiKey:
        await self._organizations.get(principal, org)
        mine = self.keys.writable_by(principal).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
        row = await self.keys.one_or_none(mine)
        if row is None:
            raise ApiKeyNotFound
        return row


def _kept(secret: str) -> dict[str, str]:
    return {
        "prefix": secret[:PREFIX_LENGTH],
        "suffix": secret[-SUFFIX_LENGTH:],
        "secret_hash": hash_token(secret),
    }


def _narrowed(principal: Principal, models: list[str] | None) -> list[str] | None:
    """Return the models a new key is limited to: never more than the key it is made with."""
    if principal.models is None:
        return sorted(set(models)) if models else None
    return sorted(principal.models & set(models)) if models else sorted(principal.models)


def _shown(row: ApiKey, secret: str) -> ApiKeyCreated:
    return ApiKeyCreated(**ApiKeyRead.model_validate(row).model_dump(), key=secret)
