"""Identity's services, as dependencies."""

from typing import Annotated

from fastapi import Depends, Form, Query, Request

from argosy.identity.administration import AdministrationService
from argosy.identity.clients import ClientService
from argosy.identity.grants import TokenService
from argosy.identity.keys import ApiKeyService
from argosy.identity.passwords import Passwords
from argosy.identity.recovery import RecoveryService
from argosy.identity.schemas import Login, Register, TokenRequest
from argosy.identity.service import AccountService
from argosy.identity.sessions import SessionReader, SessionService
from argosy.identity.sign_in import Proof, SignIn
from argosy.identity.token_status import TokenInspector, TokenRevoker
from argosy.kit.pagination import PageQuery, page_query
from argosy.kit.principal import Principal, Scope
from argosy.kit.web.cookies import require_same_site
from argosy.kit.web.security import requires
from argosy.kit.web.sessions import Read, Write

PASSWORD_GRANT = "password"  # noqa: S105 - a grant's name
Paging = Annotated[PageQuery, Depends(page_query)]
KeyReader = Annotated[Principal, requires(Scope.KEYS_READ)]
KeyEditor = Annotated[Principal, requires(Scope.KEYS_WRITE)]
ClientViewer = Annotated[Principal, requires(Scope.CLIENTS_READ)]
ClientEditor = Annotated[Principal, requires(Scope.CLIENTS_WRITE)]
UserViewer = Annotated[Principal, requires(Scope.USERS_READ)]
UserEditor = Annotated[Principal, requires(Scope.USERS_WRITE)]
Search = Annotated[str | None, Query(max_length=200, description="Text in the name or address.")]


def account_service(request: Request, session: Write) -> AccountService:
    """Return the service of accounts."""
    state = request.app.state
    return AccountService(session, state.passwords, state.sign_in, state.guests)


def token_service(request: Request, session: Write) -> TokenService:
    """Return the service of the token endpoint."""
    state = request.app.state
    return TokenService(session, state.sign_in, state.tokens, state.settings.security)


def session_reader(request: Request, session: Read) -> SessionReader:
    """Return the reader of sign-ins."""
    return SessionReader(session, request.app.state.settings.security)


def session_service(request: Request, session: Write) -> SessionService:
    """Return the service of sign-ins."""
    return SessionService(session, request.app.state.settings.security)


def recovery_service(request: Request, session: Write) -> RecoveryService:
    """Return the service of mailed codes."""
    return RecoveryService(session, request.app.state.keys)


def token_inspector(request: Request, session: Read) -> TokenInspector:
    """Return what tells what a token is."""
    return TokenInspector(session, request.app.state.tokens, request.app.state.settings.security)


def token_revoker(request: Request, session: Write) -> TokenRevoker:
    """Return what ends tokens."""
    return TokenRevoker(session, request.app.state.tokens, request.app.state.settings.security)


def key_service(session: Write) -> ApiKeyService:
    """Return the service of API keys."""
    return ApiKeyService(session)


def client_service(session: Write) -> ClientService:
    """Return the service of OAuth2 clients."""
    return ClientService(session)


def administration_service(session: Write) -> AdministrationService:
    """Return the service of platform administrators."""
    return AdministrationService(session)


async def grant_proof(form: Annotated[TokenRequest, Form()], request: Request) -> Proof | None:
    """Check the password of a token request; before any transaction is open."""
    if form.grant_type != PASSWORD_GRANT or form.username is None or form.password is None:
        return None
    sign_in: SignIn = request.app.state.sign_in
    if not request.app.state.settings.security.password_grant:
        return None
    return await sign_in.prove(form.username, form.password.get_secret_value())


async def login_proof(body: Login, request: Request) -> Proof:
    """Check the password of a browser that a page of ours has sent; before any transaction is open."""
    require_same_site(request)
    sign_in: SignIn = request.app.state.sign_in
    return await sign_in.prove(body.username, body.password.get_secret_value())


async def new_password(body: Register, request: Request) -> str:
    """Return the hash of a new account's password; before any transaction is open.

    Raises `Invalid` for one that will not do, `TooManyRequests`.
    """
    await request.app.state.sign_in.admit()
    passwords: Passwords = request.app.state.passwords
    password = body.password.get_secret_value()
    await passwords.check(password, [body.username, body.email, body.full_name or ""], "password")
    return await passwords.hash(password)


GrantProof = Annotated[Proof | None, Depends(grant_proof)]
LoginProof = Annotated[Proof, Depends(login_proof)]
NewPassword = Annotated[str, Depends(new_password)]
Accounts = Annotated[AccountService, Depends(account_service)]
Tokens = Annotated[TokenService, Depends(token_service)]
Sessions = Annotated[SessionService, Depends(session_service)]
SessionList = Annotated[SessionReader, Depends(session_reader)]
Recovery = Annotated[RecoveryService, Depends(recovery_service)]
Inspector = Annotated[TokenInspector, Depends(token_inspector)]
Revoker = Annotated[TokenRevoker, Depends(token_revoker)]
Keys = Annotated[ApiKeyService, Depends(key_service)]
Clients = Annotated[ClientService, Depends(client_service)]
Administration = Annotated[AdministrationService, Depends(administration_service)]
