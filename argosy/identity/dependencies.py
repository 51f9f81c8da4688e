"""Identity's services, as dependencies."""

from typing import Annotated

from fastapi import Depends, Request

from argosy.identity.service import AccountService, TokenService
from argosy.kit.web.sessions import Write


def account_service(request: Request, session: Write) -> AccountService:
    """Return the service of accounts."""
    state = request.app.state
    return AccountService(session, state.passwords, state.settings.security)


def token_service(request: Request, session: Write) -> TokenService:
    """Return the service of the token endpoint."""
    state = request.app.state
    return TokenService(session, state.passwords, state.tokens, state.settings.security)


Accounts = Annotated[AccountService, Depends(account_service)]
Tokens = Annotated[TokenService, Depends(token_service)]
