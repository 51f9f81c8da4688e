"""Routes of the credentials of organizations: API keys and OAuth2 clients."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from argosy.identity.clients import ClientReader
from argosy.identity.dependencies import ClientEditor, Clients, ClientViewer, KeyEditor, KeyReader, Keys, Paging
from argosy.identity.errors import ApiKeyNotFound, ClientNotFound, ScopeNotHeld
from argosy.identity.keys import ApiKeyReader
from argosy.identity.schemas import (
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyRead,
    ClientCreate,
    ClientCreated,
    ClientRead,
    Rotation,
)
from argosy.kit.pagination import CursorPage, Page, to_page
from argosy.kit.schemas import Slug
from argosy.kit.web.idempotency import Idempotent
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.sessions import Read
from argosy.organizations.errors import OrganizationNotFound

router = APIRouter(
    prefix="/organizations/{org}",
    tags=["credentials"],
    route_class=TransactionalRoute,
    responses=GUARDED | problems(OrganizationNotFound),
)
ClientId = Annotated[str, Path(max_length=100, pattern=r"^[\w-]+$")]


class CredentialSort(StrEnum):
    """Sort orders of API keys and clients."""

    OLDEST = "created_at"
    NEWEST = "-created_at"
    NAME = "name"
    NAME_DESCENDING = "-name"


Sort = Annotated[CredentialSort, Query()]


@router.post("/api-keys", status_code=201, responses=problems(ScopeNotHeld), dependencies=[Idempotent])
async def create_api_key(org: Slug, body: ApiKeyCreate, principal: KeyEditor, keys: Keys) -> ApiKeyCreated:
    """Make an API key; its secret is in the answer, and nowhere else."""
    return await keys.create(principal, org, body)


@router.get("/api-keys")
async def list_api_keys(
    org: Slug, principal: KeyReader, session: Read, query: Paging, sort: Sort = CredentialSort.NEWEST
) -> Page[ApiKeyRead] | CursorPage[ApiKeyRead]:
    """List the API keys of an organization."""
    return to_page(await ApiKeyReader(session).list(principal, org, query, sort), ApiKeyRead.model_validate)


@router.post("/api-keys/{key_id}/rotate", responses=problems(ApiKeyNotFound, ScopeNotHeld), dependencies=[Idempotent])
async def rotate_api_key(org: Slug, key_id: UUID, body: Rotation, principal: KeyEditor, keys: Keys) -> ApiKeyCreated:
    """Give an API key a new secret; the former one is good for a while."""
    return await keys.rotate(principal, org, key_id, body)


@router.delete("/api-keys/{key_id}", status_code=204, responses=problems(ApiKeyNotFound))
async def revoke_api_key(org: Slug, key_id: UUID, principal: KeyEditor, keys: Keys) -> None:
    """Revoke an API key, at once."""
    await keys.revoke(principal, org, key_id)


@router.post("/clients", status_code=201, responses=problems(ScopeNotHeld), dependencies=[Idempotent])
async def create_client(org: Slug, body: ClientCreate, principal: ClientEditor, clients: Clients) -> ClientCreated:
    """Make an OAuth2 client, a service's own identity; its secret is in the answer, and nowhere else."""
    return await clients.create(principal, org, body)


@router.get("/clients")
async def list_clients(
    org: Slug, principal: ClientViewer, session: Read, query: Paging, sort: Sort = CredentialSort.NEWEST
) -> Page[ClientRead] | CursorPage[ClientRead]:
    """List the OAuth2 clients of an organization."""
    return to_page(await ClientReader(session).list(principal, org, query, sort), ClientRead.model_validate)


@router.post("/clients/{client_id}/rotate", responses=problems(ClientNotFound), dependencies=[Idempotent])
async def rotate_client(
    org: Slug, client_id: ClientId, body: Rotation, principal: ClientEditor, clients: Clients
) -> ClientCreated:
    """Give a client a new secret; the former one is good for a while."""
    return await clients.rotate(principal, org, client_id, body)


@router.delete("/clients/{client_id}", status_code=204, responses=problems(ClientNotFound))
async def revoke_client(org: Slug, client_id: ClientId, principal: ClientEditor, clients: Clients) -> None:
    """Revoke a client with all it was given, at once."""
    await clients.revoke(principal, org, client_id)
