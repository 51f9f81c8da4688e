"""Who a caller is: API key or access token to principal. The adapter of the kit's authentication port."""

import hmac

from argosy.identity.repository import ApiKeyRepository, SessionRepository
from argosy.identity.tokens import AccessClaims, AccessTokens
from argosy.kit.crypto import hash_token, is_well_formed
from argosy.kit.db.session import Database
from argosy.kit.errors import Unauthenticated
from argosy.kit.principal import ROLE_SCOPES, Principal, PrincipalKind, Scope
from argosy.kit.web.security import Credentials
from argosy.organizations.errors import OrganizationNotFound
from argosy.organizations.service import OrganizationReader

KEY_PREFIX = "ak_"


class DatabaseAuthenticator:
    """Authenticates against the database, in a short read transaction of its own."""

    def __init__(self, database: Database, tokens: AccessTokens) -> None:
        self._database = database
        self._tokens = tokens

    async def authenticate(self, credentials: Credentials) -> Principal:
        """Return the principal.

        Raises `Unauthenticated` when the credential does not hold, `OrganizationNotFound` when the organization asked
        for is not the caller's.
        """
        if not credentials.token:
            raise Unauthenticated("send an API key or an access token as 'Authorization: Bearer …'")
        if credentials.token.startswith(KEY_PREFIX):
            return await self._by_key(credentials.token, credentials.organization)
        claims = self._tokens.read(credentials.token)
        if claims is None:
            raise Unauthenticated("the token is not valid, or has expired")
        return await self._by_token(claims, credentials)

    async def _by_key(self, key: str, organization: str | None) -> Principal:
        if not is_well_formed(key, KEY_PREFIX):
            raise Unauthenticated("the API key is mistyped")
        secret_hash = hash_token(key)
        async with self._database.read() as session:
            found = await ApiKeyRepository(session).by_secret(secret_hash)
        # The index found it by its hash; comparing again costs nothing and keeps the decision constant in time.
        if found is None or not hmac.compare_digest(found[0].secret_hash, secret_hash):
            raise Unauthenticated("the API key is unknown, revoked or expired")
        row, slug = found
        if organization is not None and organization != slug:
            raise OrganizationNotFound
        return Principal(
            kind=PrincipalKind.API_KEY,
            id=row.id,
            user_id=row.created_by,
            organization_id=row.organization_id,
            organization_slug=slug,
            scopes=frozenset(Scope(scope) for scope in row.scopes),
        )

    async def _by_token(self, claims: AccessClaims, credentials: Credentials) -> Principal:
        async with self._database.read() as session:
            if not await SessionRepository(session).is_live(claims.session_id, claims.user_id):
                raise Unauthenticated("the sign-in has ended")
            reader = OrganizationReader(session)
            membership = None
            if credentials.organization is None and credentials.path_organization is not None:
                membership = await reader.membership(claims.user_id, credentials.path_organization)
            if membership is None:
                membership = await reader.membership(claims.user_id, credentials.organization)
        if membership is None:
            raise OrganizationNotFound
        return Principal(
            kind=PrincipalKind.USER,
            id=claims.user_id,
            user_id=claims.user_id,
            organization_id=membership.organization_id,
            organization_slug=membership.organization.slug,
            scopes=ROLE_SCOPES[membership.role] & claims.scopes,
        )
