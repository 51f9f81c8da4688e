"""The OAuth2 token endpoint: which grant, checked by whom, and the tokens that come of it."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from argosy.events.service import record
from argosy.identity.clients import ClientReader
from argosy.identity.credential_repository import AuthorizationCodeRepository
from argosy.identity.errors import InvalidClient, InvalidGrant, InvalidScope, UnsupportedGrant
from argosy.identity.models import Client, Session, User
from argosy.identity.repository import SessionRepository, UserRepository
from argosy.identity.schemas import Token, TokenRequest
from argosy.identity.sessions import SessionService
from argosy.identity.sign_in import Proof, SignIn
from argosy.identity.tokens import FIRST_PARTY, AccessClaims, AccessTokens
from argosy.kit.clock import now
from argosy.kit.crypto import hash_token
from argosy.kit.db.session import WriteSession
from argosy.kit.errors import invalid
from argosy.kit.principal import Scope
from argosy.organizations.service import OrganizationReader
from argosy.settings import SecuritySettings

Grant = Callable[[TokenRequest], Coroutine[Any, Any, Token]]


class TokenService:
    """Answers token requests (RFC 6749, sections 4 to 6)."""

    def __init__(
        self, session: WriteSession, sign_in: SignIn, tokens: AccessTokens, settings: SecuritySettings
    ) -> None:
        self._session = session
        self._sign_in = sign_in
        self._tokens = tokens
        self._settings = settings
        self._users = UserRepository(session)
        self._sessions = SessionService(session, settings)
        self._clients = ClientReader(session)
        self._organizations = OrganizationReader(session)

    async def grant(self, request: TokenRequest, proof: Proof | None) -> Token:
        """Answer a token request; `proof` is what came of checking its password, if it has one.

        Raises `InvalidGrant`, `InvalidClient`, `InvalidScope`, `UnsupportedGrant` or `TooManyRequests`.
        """
        grants: dict[str, Grant] = {
            "refresh_token": self._by_refresh,
            "client_credentials": self._by_client,
            "authorization_code": self._by_code,
        }
        if self._settings.password_grant:
            grants["password"] = partial(self._by_password, proof)
        if request.grant_type not in grants:
            raise UnsupportedGrant(f"use one of {', '.join(sorted(grants))}", error="unsupported_grant_type")
        return await grants[request.grant_type](request)

    async def _by_password(self, proof: Proof | None, request: TokenRequest) -> Token:
        _required(request.username, "username")
        _secret(request.password, "password")
        if proof is None:
            raise InvalidGrant("wrong username or password")
        if request.client_id not in {None, FIRST_PARTY}:
            raise InvalidGrant("the password grant is not for clients of others (RFC 9700, section 2.4)")
        scopes = _asked(request.scope, Scope)
        user = await self._sign_in.settle(self._session, proof)
        row, refresh = await self._sessions.open_for_program(user, _kept(request.scope, scopes), None)
        return await self._for_person(row, refresh, scopes)

    async def _by_refresh(self, request: TokenRequest) -> Token:
        token = _secret(request.refresh_token, "refresh_token")
        client_id = None if request.client_id in {None, FIRST_PARTY} else request.client_id
        if client_id is not None:
            await self._authenticate_client(request)
        row, refresh = await self._sessions.renew(token, client_id)
        held = frozenset(Scope) if row.scopes is None else frozenset(Scope(scope) for scope in row.scopes)
        return await self._for_person(row, refresh, _asked(request.scope, held))

    async def _by_client(self, request: TokenRequest) -> Token:
        row, _slug = await self._authenticate_client(request)
        scopes = _asked(request.scope, {Scope(scope) for scope in row.scopes})
        claims = AccessClaims(row.client_id, row.organization_id, scopes, client_id=row.client_id)
        record(self._session, "client.token_issued", row.client_id, row.organization_id)
        return self._token(claims, None)

    async def _by_code(self, request: TokenRequest) -> Token:
        code = _secret(request.code, "code")
        verifier = _secret(request.code_verifier, "code_verifier")
        redirect_uri = _required(request.redirect_uri, "redirect_uri")
        client, _slug = await self._authenticate_client(request)
        codes = AuthorizationCodeRepository(self._session)
        user = None
        taken = await codes.by_hash(hash_token(code))
        if taken is not None and taken.session_id is not None:
            # Of two who hold the code one stole it: what the first got ends (RFC 6749, section 4.1.2).
            await SessionRepository(self._session).revoke(taken.session_id)
            record(self._session, "authorization.reuse_detected", client.client_id, client.organization_id)
        elif (
            taken is not None
            and taken.expires_at > now()
            and taken.client_id == client.client_id
            and taken.redirect_uri == redirect_uri
            and hmac.compare_digest(taken.code_challenge, s256(verifier))
        ):
            user = await self._active(taken.user_id)
        if taken is None or user is None:
            raise InvalidGrant("the code is unknown, used, too old, or not for this client and verifier")
        row, refresh = await self._sessions.open_for_program(user, taken.scopes, client.client_id)
        taken.session_id = row.id
        return await self._for_person(row, refresh, frozenset(Scope(scope) for scope in taken.scopes))

    async def _active(self, user_id: UUID) -> User | None:
        user = await self._users.get(user_id)
        return user if user is not None and user.is_active else None

    async def _authenticate_client(self, request: TokenRequest) -> tuple[Client, str]:
        if request.client_id is None or request.client_secret is None:
            raise InvalidClient("send client_id and client_secret, as Basic or in the form")
        await self._sign_in.admit_client(request.client_id)
        return await self._clients.authenticate(request.client_id, request.client_secret.get_secret_value())

    async def _for_person(self, row: Session, refresh: str, scopes: frozenset[Scope]) -> Token:
        membership = await self._organizations.membership(row.user_id, None)
        if membership is None:
            raise InvalidGrant("the account has no organization")
        claims = AccessClaims(
            subject=str(row.user_id),
            organization_id=membership.organization_id,
            scopes=scopes,
            session_id=row.id,
            client_id=row.client_id or FIRST_PARTY,
        )
        return self._token(claims, refresh)

    def _token(self, claims: AccessClaims, refresh: str | None) -> Token:
        return Token(
            access_token=self._tokens.issue(claims),
            expires_in=int(self._tokens.lifetime.total_seconds()),
            refresh_token=refresh,
            scope=" ".join(sorted(claims.scopes)),
        )


def s256(verifier: str) -> str:
    """Return the code challenge of a verifier (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _required(value: str | None, field: str) -> str:
    if value is None:
        raise invalid(["body", field], "Field required", "missing")
    return value


def _secret(value: SecretStr | None, field: str) -> str:
    return _required(value.get_secret_value() if value else None, field)


def _asked(text: str, held: Iterable[Scope]) -> frozenset[Scope]:
    """Return the scopes asked for, all that may be had if none; raises `InvalidScope`."""
    held = frozenset(held)
    if not text.split():
        return held
    names = set(text.split())
    unknown = sorted(names - {scope.value for scope in held})
    if unknown:
        raise InvalidScope(f"not to be had: {' '.join(name[:50] for name in unknown[:5])}", error="invalid_scope")
    return frozenset(Scope(name) for name in names)


def _kept(text: str, scopes: frozenset[Scope]) -> list[str] | None:
    return sorted(scopes) if text.split() else None
