"""Routes of articles."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from argosy.articles.dependencies import RENDERED, ChangedText, NewText, Number, RestoredText, Writer
from argosy.articles.errors import ArticleNotFound, AuthorsOnly, NotRenderable, RevisionNotFound
from argosy.articles.schemas import (
    ArticleCreate,
    ArticleFilter,
    ArticleRead,
    ArticleSummary,
    ArticleUpdate,
    FullName,
    RevisionRead,
    RevisionSummary,
)
from argosy.articles.service import ArticleReader, ArticleService
from argosy.kit.errors import Invalid, PreconditionFailed
from argosy.kit.pagination import CursorPage, Page, PageQuery, page_query, to_page
from argosy.kit.principal import Principal, Scope
from argosy.kit.schemas import Slug
from argosy.kit.web.etag import IfMatch, tagged
from argosy.kit.web.idempotency import Idempotent
from argosy.kit.web.openapi import GUARDED, OPEN, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import FOR_ANYBODY, known, requires
from argosy.kit.web.sessions import Read, Write

router = APIRouter(prefix="/articles", tags=["articles"], route_class=TransactionalRoute)
Anybody = Annotated[Principal | None, known(Scope.ARTICLES_READ)]
Reader = Annotated[Principal, requires(Scope.ARTICLES_READ)]
Paging = Annotated[PageQuery, Depends(page_query)]
FOUND = GUARDED | problems(ArticleNotFound)
TEXT = problems(Invalid, NotRenderable)
CHANGED = GUARDED | problems(ArticleNotFound, AuthorsOnly, PreconditionFailed)


class ArticleSort(StrEnum):
    """Sort orders of articles."""

    OLDEST = "created_at"
    NEWEST = "-created_at"


class RevisionSort(StrEnum):
    """Sort orders of revisions."""

    OLDEST = "number"
    NEWEST = "-number"


def article_filter(
    model: Annotated[FullName | None, Query(description="Only about this model.")] = None,
    author: Annotated[str | None, Query(max_length=100, description="Only by the person of this username.")] = None,
    organization: Annotated[Slug | None, Query(description="Only of this organization.")] = None,
    slug: Annotated[str | None, Query(max_length=100, description="Only with this slug.")] = None,
    tag: Annotated[str | None, Query(max_length=50, description="Only with this tag, in any case.")] = None,
    q: Annotated[
        str | None,
        Query(
            max_length=200, description="Words in the title or content, the last by its beginning.", examples=["iri"]
        ),
    ] = None,
    published: Annotated[bool | None, Query(description="Only published ones, or only drafts.")] = None,
) -> ArticleFilter:
    """Read which articles are wanted."""
    return ArticleFilter(
        model=model, author=author, organization=organization, slug=slug, tag=tag, q=q, published=published
    )


@router.post("", status_code=201, responses=GUARDED | TEXT, dependencies=[RENDERED, Idempotent])
async def create_article(
    body: ArticleCreate, text: NewText, principal: Writer, session: Write, response: Response
) -> ArticleRead:
    """Write an article in your organization, as a draft unless it says `published`."""
    service = ArticleService(session)
    article = await service.create(principal, body, text)
    return tagged(response, await service.show(principal, article))


@router.get("", responses=OPEN, openapi_extra=FOR_ANYBODY)
async def list_articles(
    principal: Anybody,
    session: Read,
    query: Paging,
    only: Annotated[ArticleFilter, Depends(article_filter)],
    sort: Annotated[ArticleSort, Query()] = ArticleSort.NEWEST,
) -> Page[ArticleSummary] | CursorPage[ArticleSummary]:
    """List published articles, and the drafts that you may see; without credentials, the published ones."""
    return to_page(await ArticleReader(session).list(principal, query, sort, only), lambda article: article)


@router.get("/{article_id}", responses=OPEN | problems(ArticleNotFound), openapi_extra=FOR_ANYBODY)
async def get_article(article_id: UUID, principal: Anybody, session: Read, response: Response) -> ArticleRead:
    """Show an article; a published one to anybody."""
    reader = ArticleReader(session)
    article = await reader.get(principal, article_id)
    return tagged(response, await reader.show(principal, article))


@router.patch("/{article_id}", responses=CHANGED | TEXT)
async def update_article(
    article_id: UUID,
    body: ArticleUpdate,
    text: ChangedText,
    principal: Writer,
    session: Write,
    if_match: IfMatch,
    response: Response,
) -> ArticleRead:
    """Change an article of yours; fields that are left out stay."""
    service = ArticleService(session)
    article = await service.update(principal, article_id, body, if_match, text)
    return tagged(response, await service.show(principal, article))


@router.delete("/{article_id}", status_code=204, responses=CHANGED)
async def delete_article(article_id: UUID, principal: Writer, session: Write, if_match: IfMatch) -> None:
    """Delete an article of yours with its revisions."""
    await ArticleService(session).delete(principal, article_id, if_match)


@router.post("/{article_id}/publish", responses=CHANGED)
async def publish_article(
    article_id: UUID, principal: Writer, session: Write, if_match: IfMatch, response: Response
) -> ArticleRead:
    """Publish an article of yours: anybody may read it then, with or without an account."""
    service = ArticleService(session)
    article = await service.update(principal, article_id, ArticleUpdate(published=True), if_match)
    return tagged(response, await service.show(principal, article))


@router.post("/{article_id}/unpublish", responses=CHANGED)
async def unpublish_article(
    article_id: UUID, principal: Writer, session: Write, if_match: IfMatch, response: Response
) -> ArticleRead:
    """Make an article of yours a draft again."""
    service = ArticleService(session)
    article = await service.update(principal, article_id, ArticleUpdate(published=False), if_match)
    return tagged(response, await service.show(principal, article))


@router.get("/{article_id}/revisions", responses=FOUND)
async def list_revisions(
    article_id: UUID,
    principal: Reader,
    session: Read,
    query: Paging,
    sort: Annotated[RevisionSort, Query()] = RevisionSort.NEWEST,
) -> Page[RevisionSummary] | CursorPage[RevisionSummary]:
    """List what an article was, for its author and the organization's editors."""
    return to_page(await ArticleReader(session).history(principal, article_id, query, sort), RevisionSummary.of)


@router.get("/{article_id}/revisions/{number}", responses=GUARDED | problems(ArticleNotFound, RevisionNotFound))
async def get_revision(article_id: UUID, number: Number, principal: Reader, session: Read) -> RevisionRead:
    """Show what an article was with one revision."""
    return RevisionRead.of(await ArticleReader(session).revision(principal, article_id, number))


@router.post(
    "/{article_id}/revisions/{number}/restore",
    responses=GUARDED | TEXT | problems(ArticleNotFound, RevisionNotFound, AuthorsOnly, PreconditionFailed),
)
async def restore_revision(
    article_id: UUID,
    number: Number,
    text: RestoredText,
    principal: Writer,
    session: Write,
    if_match: IfMatch,
    response: Response,
) -> ArticleRead:
    """Make an earlier title, content and tags the current ones, as a new revision."""
    service = ArticleService(session)
    article = await service.restore(principal, article_id, number, if_match, text)
    return tagged(response, await service.show(principal, article))
