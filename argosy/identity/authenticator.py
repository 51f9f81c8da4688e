"""Who a caller is: API key, access token, password or cookie to principal. The adapter of the kit's port."""

import hmac
from contextlib import suppress
from datetime import timedelta
from ipaddress import ip_address, ip_network
from uuid import UUID

from argosy.identity.activity import Activity
from argosy.identity.clients import ClientReader, is_client_id
from argosy.identity.credential_repository import ApiKeyRepository, ClientRepository, LiveKey, RevokedTokenRepository
from argosy.identity.errors import InvalidGrant
from argosy.identity.keys import KEY_PREFIX
from argosy.identity.models import Client, Session, User
from argosy.identity.repository import SessionRepository, UserRepository
from argosy.identity.sessions import SessionReader
from argosy.identity.sign_in import SignIn
from argosy.identity.tokens import AccessClaims, AccessTokens
from argosy.kit.crypto import hash_token, is_well_formed
from argosy.kit.db.session import Database, ReadSession
from argosy.kit.errors import Unauthenticated
from argosy.kit.policy import granted
from argosy.kit.principal import Principal, PrincipalKind, Scope
from argosy.kit.web.entrance import Credentials, Scheme
from argosy.organizations.errors import OrganizationNotFound
from argosy.organizations.models import Membership
from argosy.organizations.service import OrganizationReader
from argosy.settings import SecuritySettings

ALL_SCOPES = frozenset(Scope)
ENDED = "the sign-in has ended"


class DatabaseAuthenticator:
    """Authenticates against the database, in a short transaction of its own: what was revoked is refused at once."""

    def __init__(
        self,
        database: Database,
        tokens: AccessTokens,
        sign_in: SignIn,
        activity: Activity,
        settings: SecuritySettings,
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._sign_in = sign_in
        self._activity = activity
        self._settings = settings
        self._idle = timedelta(minutes=settings.session_idle_minutes)

    async def authenticate(self, credentials: Credentials) -> Principal:
        """Return the principal.

        Raises `Unauthenticated` when the credential does not hold, `OrganizationNotFound` when the organization asked
        for is not the caller's, `TooManyRequests` when passwords are being guessed.
        """
        if credentials.scheme is Scheme.BASIC:
            return await self._by_password(credentials)
        if credentials.scheme is Scheme.COOKIE:
            return await self._by_cookie(credentials)
        if credentials.secret.startswith(KEY_PREFIX):
            return await self._by_key(credentials.secret, credentials)
        claims = await self._tokens.read(credentials.secret)
        if claims is None:
            raise Unauthenticated("the token is not valid, or has expired")
        if claims.session_id is None:
            return await self._by_client_token(claims, credentials)
        return await self._by_person_token(claims, claims.session_id, credentials)

    async def _by_key(self, key: str, credentials: Credentials) -> Principal:
        if not is_well_formed(key, KEY_PREFIX):
            raise Unauthenticated("the API key is mistyped")
        secret_hash = hash_token(key)
        async with self._database.read() as session:
            found = await ApiKeyRepository(session).by_secret(secret_hash)
        # The index found it by its hash; comparing again costs nothing and keeps the decision constant in time.
        if found is None or not _is_secret_of(found, secret_hash):
            raise Unauthenticated("the API key is unknown, revoked or expired")
        if not _is_within(credentials.address, found.key.networks):
            raise Unauthenticated("the API key is not for use from this address")
        if credentials.organization not in {None, found.slug}:
            raise OrganizationNotFound
        row = found.key
        self._activity.key_used(row.id, row.last_used_at)
        return Principal(
            kind=PrincipalKind.API_KEY,
            id=row.id,
            user_id=row.created_by,
            organization_id=row.organization_id,
            organization_slug=found.slug,
            scopes=_known(row.scopes) & granted(found.role, is_admin=found.is_admin),
            models=frozenset(row.models) if row.models is not None else None,
        )

    async def _by_client_token(self, claims: AccessClaims, credentials: Credentials) -> Principal:
        async with self._database.read() as session:
            found = await ClientRepository(session).live(claims.subject)
            if found is None or await RevokedTokenRepository(session).contains(claims.jti):
                raise Unauthenticated("the client or its token was revoked")
        return self._client(*found, credentials, claims.scopes)

    async def _by_client_secret(self, client_id: str, secret: str, credentials: Credentials) -> Principal:
        async with self._database.read() as session:
            row, slug = await ClientReader(session).authenticate(client_id, secret)
        return self._client(row, slug, credentials, ALL_SCOPES)

    def _client(self, row: Client, slug: str, credentials: Credentials, scopes: frozenset[Scope]) -> Principal:
        if credentials.organization not in {None, slug}:
            raise OrganizationNotFound
        self._activity.client_used(row.id, row.last_used_at)
        return Principal(
            kind=PrincipalKind.CLIENT,
            id=row.id,
            user_id=row.created_by,
            organization_id=row.organization_id,
            organization_slug=slug,
            scopes=scopes & _known(row.scopes),
        )

    async def _by_person_token(self, claims: AccessClaims, session_id: UUID, credentials: Credentials) -> Principal:
        async with self._database.read() as session:
            row = await SessionRepository(session).live(session_id, self._idle)
            if row is None or str(row.user_id) != claims.subject:
                raise Unauthenticated(ENDED)
            return await self._person(session, row.user_id, row, credentials, claims.scopes)

    async def _by_cookie(self, credentials: Credentials) -> Principal:
        async with self._database.read() as session:
            row = await SessionReader(session, self._settings).by_cookie(credentials.secret)
            if row is None:
                raise Unauthenticated(ENDED)
            return await self._person(session, row.user_id, row, credentials, ALL_SCOPES)

    async def _by_password(self, credentials: Credentials) -> Principal:
        """HTTP Basic (RFC 7617): a username with a password, a client with its secret, or anything with an API key."""
        if credentials.secret.startswith(KEY_PREFIX):
            return await self._by_key(credentials.secret, credentials)
        login, password = credentials.username or "", credentials.secret
        if is_client_id(login):
            return await self._by_client_secret(login, password, credentials)
        async with self._database.read() as session:
            user = await self._sign_in.remembered(session, login, password)
        if user is None:
            user = await self._verified(login, password)
        async with self._database.read() as session:
            return await self._person(session, user.id, None, credentials, ALL_SCOPES)

    async def _verified(self, login: str, password: str) -> User:
        proof = await self._sign_in.prove(login, password)
        user = None
        async with self._database.write() as session:
            with suppress(InvalidGrant):  # what it recorded is to be committed
                user = await self._sign_in.settle(session, proof)
        if user is None:
            raise Unauthenticated("wrong username or password")
        self._sign_in.remember(user, password)
        return user

    async def _person(
        self,
        session: ReadSession,
        user_id: UUID,
        row: Session | None,
        credentials: Credentials,
        scopes: frozenset[Scope],
    ) -> Principal:
        membership = await _membership(session, user_id, credentials)
        user = await UserRepository(session).get(user_id)
        if membership is None or user is None:
            raise OrganizationNotFound
        if row is not None:
            self._activity.session_used(row.id, row.last_seen_at)
        return Principal(
            kind=PrincipalKind.USER,
            id=user_id,
            user_id=user_id,
            organization_id=membership.organization_id,
            organization_slug=membership.organization.slug,
            scopes=granted(membership.role, is_admin=user.is_admin) & scopes,
            session_id=row.id if row else None,
        )


async def _membership(session: ReadSession, user_id: UUID, credentials: Credentials) -> Membership | None:
    """Return the membership a person acts under: as asked, else where the path leads, else the personal one."""
    reader = OrganizationReader(session)
    if credentials.organization is None and credentials.path_organization is not None:
        found = await reader.membership(user_id, credentials.path_organization)
        if found is not None:
            return found
    return await reader.membership(user_id, credentials.organization)


def _is_secret_of(found: LiveKey, secret_hash: str) -> bool:
    newest = hmac.compare_digest(found.key.secret_hash, secret_hash)
    return hmac.compare_digest(found.key.former_hash or "", secret_hash) or newest


def _is_within(address: str, networks: list[str] | None) -> bool:
    if networks is None:
        return True
    try:
        given = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(given, "ipv4_mapped", None) or given
    return any(mapped in ip_network(network) for network in networks)


def _known(scopes: list[str]) -> frozenset[Scope]:
    # A scope that a newer or older release wrote means nothing here.
    return frozenset(scope for scope in Scope if scope.value in scopes)
