"""Ending tokens and telling what they are: revocation (RFC 7009) and introspection (RFC 7662)."""

import hmac
from uuid import UUID

from argosy.events.service import record
from argosy.identity.credential_repository import ApiKeyRepository, ClientRepository, RevokedTokenRepository
from argosy.identity.keys import KEY_PREFIX
from argosy.identity.models import SessionKind
from argosy.identity.repository import UserRepository
from argosy.identity.schemas import Introspection
from argosy.identity.sessions import REFRESH_PREFIX, SessionReader, split_secret
from argosy.identity.tokens import AUDIENCE, AccessClaims, AccessTokens
from argosy.kit.clock import now
from argosy.kit.crypto import hash_token
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.principal import Principal
from argosy.organizations.service import OrganizationReader
from argosy.settings import SecuritySettings

INACTIVE = Introspection(active=False)


class TokenInspector:
    """Tells what a token is, to those it concerns."""

    def __init__(self, session: ReadSession, tokens: AccessTokens, settings: SecuritySettings) -> None:
        self._session = session
        self._tokens = tokens
        self._sessions = SessionReader(session, settings)

    async def inspect(self, principal: Principal, token: str) -> Introspection:
        """Describe an access token of the caller's organization; of any other, only that it is not active."""
        claims = await self._tokens.read(token)
        if claims is None or claims.organization_id != principal.organization_id or not await self._holds(claims):
            return INACTIVE
        username = None
        if claims.session_id is not None:
            user = await UserRepository(self._session).get(UUID(claims.subject))
            username = user.username if user else None
        return Introspection(
            active=True,
            scope=" ".join(sorted(claims.scopes)),
            client_id=claims.client_id,
            username=username,
            token_type="Bearer",  # noqa: S106 - a type, not a secret
            exp=int(claims.expires_at.timestamp()) if claims.expires_at else None,
            iat=int(claims.issued_at.timestamp()) if claims.issued_at else None,
            nbf=int(claims.issued_at.timestamp()) if claims.issued_at else None,
            sub=claims.subject,
            aud=AUDIENCE,
            iss=self._tokens.issuer,
            jti=claims.jti,
            org=claims.organization_id,
        )

    async def _holds(self, claims: AccessClaims) -> bool:
        if claims.session_id is not None:
            return await self._sessions.sessions.live(claims.session_id, self._sessions.idle) is not None
        revoked = await RevokedTokenRepository(self._session).contains(claims.jti)
        return not revoked and await ClientRepository(self._session).live(claims.subject) is not None


class TokenRevoker:
    """Ends what a token stands for: whoever holds it may, so that a found secret can be made worthless."""

    def __init__(self, session: WriteSession, tokens: AccessTokens, settings: SecuritySettings) -> None:
        self._session = session
        self._tokens = tokens
        self._sessions = SessionReader(session, settings)

    async def revoke(self, token: str) -> None:
        """End a refresh token's sign-in, an access token with its sign-in, or an API key; anything else is ignored."""
        if token.startswith(KEY_PREFIX):
            await self._key(token)
        elif token.startswith(REFRESH_PREFIX):
            await self._refresh(token)
        else:
            await self._access(token)

    async def _key(self, token: str) -> None:
        found = await ApiKeyRepository(self._session).by_secret(hash_token(token))
        if found is not None:
            found.key.revoked_at = now()
            record(self._session, "api_key.revoked", str(found.key.id), found.key.organization_id, by="its holder")

    async def _refresh(self, token: str) -> None:
        parts = split_secret(token, REFRESH_PREFIX)
        row = await self._sessions.sessions.live(parts[0], self._sessions.idle) if parts else None
        if parts is None or row is None or row.kind is not SessionKind.TOKEN:
            return
        if hmac.compare_digest(row.refresh_hash, hash_token(parts[1])):
            await self._end(row.id, row.user_id)

    async def _access(self, token: str) -> None:
        claims = await self._tokens.read(token)
        if claims is None:
            return
        if claims.session_id is not None:
            await self._end(claims.session_id, UUID(claims.subject))
        elif claims.expires_at is not None:
            await RevokedTokenRepository(self._session).put(claims.jti, claims.expires_at)
            record(self._session, "client.token_revoked", claims.subject, claims.organization_id)

    async def _end(self, session_id: UUID, user_id: UUID) -> None:
        await self._sessions.sessions.revoke(session_id)
        organization = await OrganizationReader(self._session).personal(user_id)
        record(self._session, "session.ended", str(session_id), organization.id)
