"""Identity's services, as dependencies."""

from typing import Annotated

from fastapi import Depends, Query, Request

from argosy.identity.administration import AdministrationService
from argosy.identity.clients import ClientService
from argosy.identity.grants import TokenService
from argosy.identity.keys import ApiKeyService
from argosy.identity.recovery import RecoveryService
from argosy.identity.service import AccountService
from argosy.identity.sessions import SessionReader, SessionService
from argosy.identity.token_status import TokenInspector, TokenRevoker
from argosy.kit.pagination import PageQuery, page_query
from argosy.kit.principal import Principal, Scope
from argosy.kit.web.security import requires
from argosy.kit.web.sessions import Read, Write

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
