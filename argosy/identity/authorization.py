"""Letting a client act for a person: the authorization code flow with PKCE (RFC 6749, 7636 and 9700)."""

import secrets
from datetime import timedelta
from urllib.parse import urlencode

from argosy.events.service import record
from argosy.identity.credential_repository import AuthorizationCodeRepository, ClientRepository
from argosy.identity.errors import InvalidClient, InvalidScope
from argosy.identity.models import AuthorizationCode
from argosy.identity.schemas import Authorization, Authorized
from argosy.kit.clock import now
from argosy.kit.crypto import hash_token
from argosy.kit.db.session import WriteSession
from argosy.kit.errors import invalid
from argosy.kit.policy import DELEGABLE_SCOPES
from argosy.kit.principal import Principal, Scope

LIFETIME = timedelta(seconds=60)


async def authorize(session: WriteSession, principal: Principal, request: Authorization, issuer: str) -> Authorized:
    """Give a client what a person allowed, as a code in the URL the person is sent to.

    The URL must be one the client registered, letter for letter: nothing is sent anywhere else. Raises
    `InvalidClient`, `InvalidScope` or `Invalid`.
    """
    found = await ClientRepository(session).live(request.client_id)
    if found is None:
        raise InvalidClient("unknown client")
    client = found[0]
    if request.redirect_uri not in client.redirect_uris:
        raise invalid(["body", "redirect_uri"], "is not one that the client registered", "redirect_uri")
    # What a client may do for others is what it may do at all, never what only a person may.
    held = {scope.value for scope in principal.scopes & DELEGABLE_SCOPES} & set(client.scopes)
    excess = sorted(set(request.scope.split()) - held)
    if excess or not request.scope.split():
        raise InvalidScope(f"not to be had: {' '.join(name[:50] for name in excess[:5])}", error="invalid_scope")
    code = secrets.token_urlsafe(32)
    await AuthorizationCodeRepository(session).add(
        AuthorizationCode(
            code_hash=hash_token(code),
            client_id=client.client_id,
            user_id=principal.user_id,
            redirect_uri=request.redirect_uri,
            code_challenge=request.code_challenge,
            scopes=sorted(Scope(name) for name in request.scope.split()),
            expires_at=now() + LIFETIME,
        )
    )
    record(session, "authorization.granted", client.client_id, principal.organization_id, scopes=request.scope)
    # The issuer tells the client who answers (RFC 9207), so that another server cannot pass its code off as ours.
    answer = {"code": code, "iss": issuer} | ({"state": request.state} if request.state is not None else {})
    joint = "&" if "?" in request.redirect_uri else "?"
    return Authorized(redirect_to=f"{request.redirect_uri}{joint}{urlencode(answer)}")
