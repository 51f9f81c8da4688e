"""Routes of accounts, tokens and API keys."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from argosy.identity.dependencies import Accounts, Tokens
from argosy.identity.errors import (
    AccountExists,
    ApiKeyNotFound,
    InvalidGrant,
    RegistrationClosed,
    ScopeNotHeld,
    UnsupportedGrant,
)
from argosy.identity.keys import ApiKeyReader, ApiKeyService
from argosy.identity.schemas import (
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyRead,
    Register,
    Registered,
    Token,
    TokenRequest,
    UserRead,
    UserUpdate,
)
from argosy.identity.service import AccountReader
from argosy.kit.errors import PreconditionFailed
from argosy.kit.pagination import CursorPage, Page, PageQuery, page_query, to_page
from argosy.kit.principal import Principal, Scope
from argosy.kit.schemas import Slug
from argosy.kit.web.etag import IfMatch, tag
from argosy.kit.web.idempotency import Idempotent
from argosy.kit.web.openapi import GUARDED, PUBLIC, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import Caller, requires
from argosy.kit.web.sessions import Read, Write
from argosy.organizations.errors import OrganizationNotFound

auth = APIRouter(prefix="/auth", tags=["auth"], route_class=TransactionalRoute, responses=PUBLIC)
users = APIRouter(prefix="/users", tags=["users"], route_class=TransactionalRoute, responses=GUARDED)
keys = APIRouter(
    prefix="/organizations/{org}/api-keys",
    tags=["api keys"],
    route_class=TransactionalRoute,
    responses=GUARDED | problems(OrganizationNotFound),
)
KeyReader = Annotated[Principal, Depends(requires(Scope.KEYS_READ))]
KeyEditor = Annotated[Principal, Depends(requires(Scope.KEYS_WRITE))]
Paging = Annotated[PageQuery, Depends(page_query)]


class ApiKeySort(StrEnum):
    """Sort orders of API keys."""

    OLDEST = "created_at"
    NEWEST = "-created_at"
    NAME = "name"
    NAME_DESCENDING = "-name"


@auth.post("/register", status_code=201, responses=problems(RegistrationClosed, AccountExists))
async def register(body: Register, accounts: Accounts, request: Request) -> Registered:
    """Make an account."""
    return await accounts.register(body, request.app.state.settings.registration)


@auth.post("/token", responses=problems(InvalidGrant, UnsupportedGrant))
async def issue_token(form: Annotated[TokenRequest, Form()], tokens: Tokens) -> Token:
    """Get an access token for a password or a refresh token (OAuth 2)."""
    return await tokens.grant(form)


@users.get("/me")
async def get_me(principal: Caller, session: Read, response: Response) -> UserRead:
    """Show your account."""
    user = await AccountReader(session).get(principal.user_id)
    tag(response, user.revision)
    return UserRead.model_validate(user)


@users.patch("/me", responses=problems(PreconditionFailed))
async def update_me(
    body: UserUpdate, principal: Caller, accounts: Accounts, if_match: IfMatch, response: Response
) -> UserRead:
    """Change your account."""
    user = await accounts.update(principal, body, if_match)
    tag(response, user.revision)
    return UserRead.model_validate(user)


@keys.post("", status_code=201, responses=problems(ScopeNotHeld), dependencies=[Idempotent])
async def create_api_key(org: Slug, body: ApiKeyCreate, principal: KeyEditor, session: Write) -> ApiKeyCreated:
    """Make an API key; its secret is in the answer, and nowhere else."""
    return await ApiKeyService(session).create(principal, org, body)


@keys.get("")
async def list_api_keys(
    org: Slug,
    principal: KeyReader,
    session: Read,
    query: Paging,
    sort: Annotated[ApiKeySort, Query()] = ApiKeySort.NEWEST,
) -> Page[ApiKeyRead] | CursorPage[ApiKeyRead]:
    """List the API keys of an organization."""
    return to_page(await ApiKeyReader(session).list(principal, org, query, sort), ApiKeyRead.model_validate)


@keys.delete("/{key_id}", status_code=204, responses=problems(ApiKeyNotFound))
async def revoke_api_key(org: Slug, key_id: UUID, principal: KeyEditor, session: Write) -> None:
    """Revoke an API key, at once."""
    await ApiKeyService(session).revoke(principal, org, key_id)
