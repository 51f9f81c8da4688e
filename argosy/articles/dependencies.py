"""What the routes of articles have rendered before their transaction begins: SQLite has one writer."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path

from argosy.articles.markdown import Rendered
from argosy.articles.rendering import render
from argosy.articles.schemas import ArticleCreate, ArticleUpdate, CardSet
from argosy.articles.service import ArticleReader
from argosy.kit.principal import Principal, Scope
from argosy.kit.web.security import requires
from argosy.kit.web.sessions import Read

Writer = Annotated[Principal, requires(Scope.ARTICLES_WRITE)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="Revision number.")]


async def new_text(_principal: Writer, body: ArticleCreate) -> Rendered:
    """Return a new article's content rendered; raises `NotRenderable`."""
    return await render(body.content)


async def changed_text(_principal: Writer, body: ArticleUpdate) -> Rendered | None:
    """Return an article's new content rendered, if it has one; raises `NotRenderable`."""
    return None if body.content is None else await render(body.content)


async def card_text(_principal: Writer, body: CardSet) -> Rendered:
    """Return a card's content rendered; raises `NotRenderable`."""
    return await render(body.content)


async def restored_text(principal: Writer, article_id: UUID, number: Number, session: Read) -> Rendered:
    """Return the content of an earlier revision rendered; raises `NotRenderable`, and as the route does."""
    reader = ArticleReader(session)
    await reader.get_own(principal, article_id)
    return await render((await reader.revision(principal, article_id, number)).content)


# Beside `Idempotent`, which opens the transaction, it has to be named before that.
RENDERED = Depends(new_text)
NewText = Annotated[Rendered, RENDERED]
ChangedText = Annotated[Rendered | None, Depends(changed_text)]
CardText = Annotated[Rendered, Depends(card_text)]
RestoredText = Annotated[Rendered, Depends(restored_text)]
