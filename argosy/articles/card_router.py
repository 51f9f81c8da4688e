"""Routes of models' cards."""

from typing import Annotated

from fastapi import APIRouter, Response

from argosy.articles.cards import CardReader, CardService
from argosy.articles.dependencies import CardText, Writer
from argosy.articles.errors import AuthorsOnly, CardNotFound, NotRenderable
from argosy.articles.schemas import ArticleRead, CardSet
from argosy.kit.errors import Conflict, Invalid, PreconditionFailed
from argosy.kit.principal import Principal, Scope
from argosy.kit.schemas import Slug
from argosy.kit.web.etag import IfMatch, tagged
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import requires
from argosy.kit.web.sessions import Read, Write
from argosy.registry.errors import ModelNotFound
from argosy.registry.service import ModelReader

router = APIRouter(prefix="/models/{org}/{name}/card", tags=["articles"], route_class=TransactionalRoute)
Reader = Annotated[Principal, requires(Scope.MODELS_READ)]


@router.get("", responses=GUARDED | problems(ModelNotFound, CardNotFound))
async def get_card(org: Slug, name: Slug, principal: Reader, session: Read, response: Response) -> ArticleRead:
    """Show a model's card; whoever may see the model may read it once it is published."""
    reader = CardReader(session)
    card = await reader.card(principal, await ModelReader(session).get(principal, org, name))
    return tagged(response, await reader.show(principal, card))


@router.put(
    "",
    responses=GUARDED | problems(ModelNotFound, AuthorsOnly, Conflict, PreconditionFailed, Invalid, NotRenderable),
)
async def set_card(
    org: Slug,
    name: Slug,
    body: CardSet,
    text: CardText,
    principal: Writer,
    session: Write,
    if_match: IfMatch,
    response: Response,
) -> ArticleRead:
    """Write the card of a model of your organization, or change the one that you wrote."""
    model = await ModelReader(session).get_writable(principal, org, name)
    service = CardService(session)
    card = await service.set(principal, model, body, if_match, text)
    return tagged(response, await service.show(principal, card))
