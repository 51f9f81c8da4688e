"""Routes of models."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Response

from argosy.kit.errors import Conflict, PreconditionFailed
from argosy.kit.pagination import CursorPage, Page, to_page
from argosy.kit.schemas import Slug
from argosy.kit.web.etag import IfMatch, tagged
from argosy.kit.web.idempotency import Idempotent
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.sessions import Read, Write
from argosy.registry.dependencies import Editor, Paging, Reader, Search
from argosy.registry.errors import ModelExists, ModelNotFound
from argosy.registry.schemas import ModelCreate, ModelRead, ModelUpdate
from argosy.registry.service import ModelReader, ModelService

router = APIRouter(prefix="/models", tags=["models"], route_class=TransactionalRoute, responses=GUARDED)


class ModelSort(StrEnum):
    """Sort orders of models."""

    OLDEST = "created_at"
    NEWEST = "-created_at"
    NAME = "name"
    NAME_DESCENDING = "-name"
    UPDATED = "updated_at"
    LAST_UPDATED = "-updated_at"


@router.post("", status_code=201, responses=problems(ModelExists), dependencies=[Idempotent])
async def create_model(body: ModelCreate, principal: Editor, session: Write, response: Response) -> ModelRead:
    """Make a model in your organization."""
    model = await ModelService(session).create(principal, body)
    return tagged(response, ModelRead.of(model, {}))


@router.get("")
async def list_models(
    principal: Reader,
    session: Read,
    query: Paging,
    sort: Annotated[ModelSort, Query()] = ModelSort.NEWEST,
    q: Search = None,
) -> Page[ModelRead] | CursorPage[ModelRead]:
    """List the models of your organization, and the public ones."""
    reader = ModelReader(session)
    page = await reader.list(principal, query, sort, q)
    aliases = await reader.alias_numbers(page.items)
    return to_page(page, lambda model: ModelRead.of(model, aliases[model.id]))


@router.get("/{org}/{name}", responses=problems(ModelNotFound))
async def get_model(org: Slug, name: Slug, principal: Reader, session: Read, response: Response) -> ModelRead:
    """Show a model."""
    reader = ModelReader(session)
    model = await reader.get(principal, org, name)
    return tagged(response, ModelRead.of(model, (await reader.alias_numbers([model]))[model.id]))


@router.patch("/{org}/{name}", responses=problems(ModelNotFound, PreconditionFailed))
async def update_model(
    org: Slug, name: Slug, body: ModelUpdate, principal: Editor, session: Write, if_match: IfMatch, response: Response
) -> ModelRead:
    """Change a model; fields that are left out stay."""
    service = ModelService(session)
    model = await service.update(principal, org, name, body, if_match)
    return tagged(response, ModelRead.of(model, (await service.alias_numbers([model]))[model.id]))


@router.delete("/{org}/{name}", status_code=204, responses=problems(ModelNotFound, Conflict, PreconditionFailed))
async def delete_model(org: Slug, name: Slug, principal: Editor, session: Write, if_match: IfMatch) -> None:
    """Delete a model with all its versions."""
    await ModelService(session).delete(principal, org, name, if_match)
