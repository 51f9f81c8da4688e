"""Routes of OAuth2 tokens, and of browsers' sessions."""

import base64
import binascii
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import SecretStr

from argosy.identity.authorization import authorize
from argosy.identity.dependencies import (
    GrantProof,
    Inspector,
    LoginProof,
    Paging,
    Revoker,
    SessionList,
    Sessions,
    Tokens,
)
from argosy.identity.errors import (
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    SessionNotFound,
    UnsupportedGrant,
)
from argosy.identity.models import Session, User
from argosy.identity.schemas import (
    Authorization,
    Authorized,
    BrowserSession,
    Introspection,
    JsonWebKeys,
    Login,
    SessionRead,
    Token,
    TokenRequest,
    TokenUse,
    UserRead,
)
from argosy.identity.service import AccountReader
from argosy.kit.pagination import CursorPage, Page, to_page
from argosy.kit.web.cookies import COOKIE, CrossSiteRequest, clear_cookie, csrf_token, set_cookie
from argosy.kit.web.openapi import GUARDED, PUBLIC, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import AsSystem, Caller, Counted, Person
from argosy.kit.web.sessions import Read, Write

public = APIRouter(
    prefix="/auth", tags=["auth"], route_class=TransactionalRoute, responses=PUBLIC, dependencies=[Counted]
)
guarded = APIRouter(prefix="/auth", tags=["auth"], route_class=TransactionalRoute, responses=GUARDED)


class SessionSort(StrEnum):
    """Sort orders of sign-ins."""

    OLDEST = "created_at"
    NEWEST = "-created_at"


@public.post(
    "/token",
    responses=problems(InvalidGrant, InvalidClient, UnsupportedGrant, InvalidScope),
    response_model_exclude_none=True,
)
async def issue_token(
    form: Annotated[TokenRequest, Form()], proof: GrantProof, tokens: Tokens, request: Request
) -> Token:
    """Get an access token: for a password, a refresh token, an authorization code, or a client's own secret."""
    return await tokens.grant(_with_client(form, request), proof)


@guarded.post("/revoke", status_code=200, dependencies=[AsSystem])
async def revoke_token(form: Annotated[TokenUse, Form()], _principal: Caller, revoker: Revoker) -> None:
    """End a token you hold, with the sign-in it belongs to (RFC 7009); an unknown one is no error."""
    await revoker.revoke(form.token.get_secret_value())


@public.get("/jwks")
async def get_signing_keys(request: Request) -> JsonWebKeys:
    """Show the public keys that verify access tokens, as a JWK Set."""
    return JsonWebKeys.model_validate(request.app.state.signing_keys.public())


@guarded.post("/introspect", response_model_exclude_none=True)
async def introspect_token(form: Annotated[TokenUse, Form()], principal: Caller, inspector: Inspector) -> Introspection:
    """Tell what an access token of your organization is (RFC 7662)."""
    return await inspector.inspect(principal, form.token.get_secret_value())


@guarded.post("/authorize", responses=problems(InvalidClient, InvalidScope), dependencies=[AsSystem])
async def authorize_client(body: Authorization, principal: Person, session: Write, request: Request) -> Authorized:
    """Allow a client to act for you: what the console's consent page sends."""
    return await authorize(session, principal, body, request.app.state.tokens.issuer)


@public.post("/login", responses=problems(InvalidGrant, CrossSiteRequest))
async def log_in(
    body: Login,  # noqa: ARG001 - what `LoginProof` has checked
    proof: LoginProof,
    session: Write,
    sessions: Sessions,
    request: Request,
    response: Response,
) -> BrowserSession:
    """Sign a browser in: the session is a cookie that no script can read."""
    user = await request.app.state.sign_in.settle(session, proof)
    row, cookie = await sessions.open_for_browser(user, request.cookies.get(COOKIE))
    return give_session(request, response, user, row, cookie)


@guarded.get("/session", responses=problems(SessionNotFound))
async def get_session(principal: Person, session: Read, sessions: SessionList, request: Request) -> BrowserSession:
    """Show the browser's session, with the token to send back."""
    cookie = request.cookies.get(COOKIE, "")
    row = await sessions.by_cookie(cookie)
    if row is None or row.id != principal.session_id:
        raise SessionNotFound("this call did not come with a browser's session")
    user = await AccountReader(session).get(principal.user_id)
    return _browser_session(request, user, row, cookie)


@guarded.post("/logout", status_code=204)
async def log_out(principal: Person, sessions: Sessions, response: Response) -> None:
    """End the sign-in this call came with."""
    if principal.session_id is not None:
        await sessions.end(principal, principal.session_id)
    clear_cookie(response)


@guarded.get("/sessions")
async def list_sessions(
    principal: Person,
    sessions: SessionList,
    query: Paging,
    sort: Annotated[SessionSort, Query()] = SessionSort.NEWEST,
) -> Page[SessionRead] | CursorPage[SessionRead]:
    """List your sign-ins."""

    def shown(row: Session) -> SessionRead:
        return SessionRead.model_validate(row).model_copy(update={"current": row.id == principal.session_id})

    return to_page(await sessions.list(principal, query, sort), shown)


@guarded.delete("/sessions/{session_id}", status_code=204, responses=problems(SessionNotFound))
async def end_session(session_id: UUID, principal: Person, sessions: Sessions) -> None:
    """End one of your sign-ins, at once."""
    await sessions.end(principal, session_id)


def give_session(request: Request, response: Response, user: User, row: Session, cookie: str) -> BrowserSession:
    """Set the cookie of a session that was just opened, and describe it."""
    set_cookie(response, cookie, int((row.expires_at - row.created_at).total_seconds()))
    return _browser_session(request, user, row, cookie)


def _browser_session(request: Request, user: User, row: Session, cookie: str) -> BrowserSession:
    return BrowserSession(
        user=UserRead.model_validate(user),
        csrf_token=csrf_token(request.app.state.keys, cookie),
        expires_at=row.expires_at,
    )


def _with_client(form: TokenRequest, request: Request) -> TokenRequest:
    """Put a client's Basic credentials (RFC 6749, section 2.3.1) where the form's would be."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form
    try:
        client_id, _, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise InvalidClient("the Basic credentials cannot be read") from error
    return form.model_copy(update={"client_id": client_id[:100], "client_secret": SecretStr(secret)})
