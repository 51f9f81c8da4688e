"""Decisions about API keys."""

from uuid import UUID

from argosy.events.service import record
from argosy.identity.authenticator import KEY_PREFIX
from argosy.identity.errors import ApiKeyNotFound, ScopeNotHeld
from argosy.identity.models import ApiKey
from argosy.identity.repository import ApiKeyRepository
from argosy.identity.schemas import ApiKeyCreate, ApiKeyCreated, ApiKeyRead
from argosy.kit.clock import now
from argosy.kit.crypto import hash_token, new_token
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.principal import Principal
from argosy.organizations.service import OrganizationReader

PREFIX_LENGTH = 11


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
    """Makes and revokes API keys."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)
        self._session = session

    async def create(self, principal: Principal, org: str, request: ApiKeyCreate) -> ApiKeyCreated:
        """Make a key; raises `ScopeNotHeld` when it would hold more than its maker."""
        await self._organizations.get(principal, org)
        excess = sorted(set(request.scopes) - principal.scopes)
        if excess:
            raise ScopeNotHeld(f"you do not hold {', '.join(excess)}")
        secret = new_token(KEY_PREFIX)
        row = await self.keys.add(
            ApiKey(
                organization_id=principal.organization_id,
                name=request.name,
                prefix=secret[:PREFIX_LENGTH],
                secret_hash=hash_token(secret),
                scopes=sorted(set(request.scopes)),
                expires_at=request.expires_at,
                created_by=principal.user_id,
            )
        )
        record(self._session, "api_key.created", str(row.id), row.organization_id, name=row.name)
        return ApiKeyCreated(**ApiKeyRead.model_validate(row).model_dump(), key=secret)

    async def revoke(self, principal: Principal, org: str, key_id: UUID) -> None:
        """End a key at once; raises `ApiKeyNotFound`."""
        await self._organizations.get(principal, org)
        row = await self.keys.one_or_none(self.keys.writable_by(principal).where(ApiKey.id == key_id))
        if row is None:
            raise ApiKeyNotFound
        row.revoked_at = row.revoked_at or now()
        await self._session.flush()
        record(self._session, "api_key.revoked", str(row.id), row.organization_id)
