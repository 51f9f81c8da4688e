"""Routes of response caching."""

from typing import Annotated

from fastapi import APIRouter, Response

from argosy.caching.schemas import ResponseCachingRead, ResponseCachingSet
from argosy.caching.service import CachingReader, CachingService
from argosy.kit.errors import PreconditionFailed
from argosy.kit.principal import Principal, Scope
from argosy.kit.schemas import Slug
from argosy.kit.web.etag import IfMatch, tagged
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import requires
from argosy.kit.web.sessions import Read, Write
from argosy.registry.errors import ModelNotFound
from argosy.registry.service import ModelReader

router = APIRouter(
    prefix="/models/{org}/{name}/response-cache",
    tags=["predict"],
    route_class=TransactionalRoute,
    responses=GUARDED | problems(ModelNotFound),
)
Reader = Annotated[Principal, requires(Scope.MODELS_READ)]
Editor = Annotated[Principal, requires(Scope.MODELS_WRITE)]


@router.get("")
async def get_response_cache(
    org: Slug, name: Slug, principal: Reader, session: Read, response: Response
) -> ResponseCachingRead:
    """Show whether answers are cached."""
    model = await ModelReader(session).get(principal, org, name)
    return tagged(response, ResponseCachingRead.of(await CachingReader(session).get(model)))


@router.put("", responses=problems(PreconditionFailed))
async def set_response_cache(
    org: Slug,
    name: Slug,
    body: ResponseCachingSet,
    principal: Editor,
    session: Write,
    if_match: IfMatch,
    response: Response,
) -> ResponseCachingRead:
    """Say whether answers are cached, for models that are slow and always answer the same."""
    model = await ModelReader(session).get_writable(principal, org, name)
    return tagged(response, ResponseCachingRead.of(await CachingService(session).set(model, body, if_match)))
