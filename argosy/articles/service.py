"""Decisions about articles."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import JsonValue

from argosy.articles.errors import ArticleNotFound, AuthorsOnly, RevisionNotFound
from argosy.articles.markdown import Rendered
from argosy.articles.models import Article, ArticleRevision
from argosy.articles.rendering import readable
from argosy.articles.repository import ArticleRepository, ArticleStore, RevisionRepository
from argosy.articles.schemas import ArticleCreate, ArticleFilter, ArticleRead, ArticleSummary, ArticleUpdate
from argosy.events.service import record
from argosy.kit.clock import now
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.errors import Forbidden, invalid
from argosy.kit.ids import new_id
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.principal import Principal
from argosy.kit.web.etag import Precondition
from argosy.registry.errors import ModelNotFound
from argosy.registry.models import Model
from argosy.registry.service import ModelReader


class ArticleReader:
    """Looks articles up, for a caller or for somebody who is not known."""

    def __init__(self, session: ReadSession) -> None:
        self.articles = ArticleRepository(session)
        self.revisions = RevisionRepository(session)
        self.models = ModelReader(session)

    async def get(self, principal: Principal | None, article_id: UUID) -> Article:
        """Return an article that the caller may read; raises `ArticleNotFound`."""
        article = await self.articles.get(self.articles.readable_by(principal), article_id)
        if article is None:
            raise ArticleNotFound
        return article

    async def get_editable(self, principal: Principal, article_id: UUID) -> Article:
        """Return an article whose drafts the caller may see; raises `ArticleNotFound`, or `Forbidden`."""
        article = await self.articles.get(self.articles.editable_by(principal), article_id)
        if article is None:
            await self.get(principal, article_id)
            raise Forbidden("its revisions are for its author and the organization's editors")
        return article

    async def get_own(self, principal: Principal, article_id: UUID) -> Article:
        """Return an article that the caller may change; raises `ArticleNotFound` or `AuthorsOnly`."""
        article = await self.get(principal, article_id)
        require_author(principal, article)
        return article

    async def list(
        self, principal: Principal | None, query: PageQuery, sort: str, only: ArticleFilter
    ) -> Listing[ArticleSummary]:
        """Return the articles that the caller may read and asks for."""
        model = await self._model(principal, only.model) if only.model else None
        if only.model and model is None:
            return Listing([], query, total=None if query.cursor is not None else 0)
        selected = await self.articles.matching(principal, only, model.id if model else None)
        page = await self.articles.page(selected, query, sort)
        names = await self._model_names(principal, page.items)
        shown = [ArticleSummary.of(article, _name(names, article)) for article in page.items]
        return Listing(shown, page.query, page.total, page.next_cursor)

    async def show(self, principal: Principal | None, article: Article) -> ArticleRead:
        """Return an article as its reader may see it."""
        names = await self._model_names(principal, [article])
        return ArticleRead.of(article, _name(names, article), html=await html_of(article))

    async def history(
        self, principal: Principal, article_id: UUID, query: PageQuery, sort: str
    ) -> Listing[ArticleRevision]:
        """Return the revisions of an article; raises `ArticleNotFound` or `Forbidden`."""
        article = await self.get_editable(principal, article_id)
        return await self.revisions.page(self.revisions.of(article.id), query, sort)

    async def revision(self, principal: Principal, article_id: UUID, number: int) -> ArticleRevision:
        """Return a revision; raises `ArticleNotFound`, `Forbidden` or `RevisionNotFound`."""
        article = await self.get_editable(principal, article_id)
        revision = await self.revisions.by_number(article.id, number)
        if revision is None:
            raise RevisionNotFound
        return revision

    async def _model(self, principal: Principal | None, full_name: str) -> Model | None:
        if principal is None:
            return None
        try:
            return await self.models.get(principal, *full_name.split("/", 1))
        except ModelNotFound:
            return None

    async def _model_names(self, principal: Principal | None, articles: Sequence[Article]) -> dict[UUID, str]:
        """Return the full names of the articles' models that the caller may see, in one query."""
        bound = {article.model_id for article in articles if article.model_id is not None}
        return await self.models.full_names(principal, bound) if principal and bound else {}


class ArticleService(ArticleReader):
    """Writes articles."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)
        self._session = session
        self.store = ArticleStore(session)

    async def create(self, principal: Principal, request: ArticleCreate, text: Rendered) -> Article:
        """Write an article, whose content is rendered; raises `Invalid` for a model that the caller cannot see."""
        model = await self._bound(principal, request.model)
        return await self.write(principal, request, text, model.id if model else None)

    async def write(
        self,
        principal: Principal,
        request: ArticleCreate,
        text: Rendered,
        model_id: UUID | None,
        card_of: UUID | None = None,
    ) -> Article:
        """Insert an article of the caller, bound to a model that the caller may bind it to."""
        article = Article(
            id=new_id(),
            organization_id=principal.organization_id,
            author_id=principal.user_id,
            model_id=model_id,
            card_of=card_of,
            published_at=now() if request.published else None,
            excerpt=text.excerpt,
            html=text.html,
            **request.model_dump(exclude={"model"}),
        )
        await self.store.insert(article, principal.user_id)
        self._record("article.created", article)
        if article.published:
            self._record("article.published", article)
        return await self._reloaded(article)

    async def update(
        self,
        principal: Principal,
        article_id: UUID,
        request: ArticleUpdate,
        precondition: Precondition,
        text: Rendered | None = None,
    ) -> Article:
        """Change what is sent, with the content, if there is one, rendered.

        Raises `ArticleNotFound`, `AuthorsOnly`, `PreconditionFailed` or `Invalid`.
        """
        article = await self.get_own(principal, article_id)
        precondition.check(article.revision)
        if "model" in request.model_fields_set:
            await self._rebind(principal, article, request.model)
        changes = request.model_dump(exclude_unset=True, exclude_none=True, exclude={"model"})
        return await self.change(principal, article, changes, text)

    async def change(
        self,
        principal: Principal,
        article: Article,
        changes: dict[str, object],
        text: Rendered | None,
        kind: str = "article.updated",
    ) -> Article:
        """Set fields of an article that the caller may change; what changes nothing leaves no trace."""
        before, was_published = article.revision, article.published
        if text is not None and changes["content"] != article.content:
            article.html, article.excerpt = text.html, text.excerpt
        for field, value in changes.items():
            setattr(article, field, value)
        if article.published and not was_published:
            article.published_at = now()
        await self._session.flush()
        if article.revision != before:
            await self.store.keep(article, principal.user_id)
            if set(changes) - {"published"} or article.published == was_published:
                self._record(kind, article, fields=[*sorted(changes)])
            if article.published != was_published:
                self._record("article.published" if article.published else "article.unpublished", article)
        return article

    async def restore(
        self, principal: Principal, article_id: UUID, number: int, precondition: Precondition, text: Rendered
    ) -> Article:
        """Make an earlier text, rendered, the current one, as a new revision; whether it is published stays."""
        article = await self.get_own(principal, article_id)
        precondition.check(article.revision)
        earlier = await self.revision(principal, article_id, number)
        changes: dict[str, object] = {"title": earlier.title, "content": earlier.content, "tags": earlier.tags}
        return await self.change(principal, article, changes, text, "article.restored")

    async def delete(self, principal: Principal, article_id: UUID, precondition: Precondition) -> None:
        """Delete an article with its revisions; raises `ArticleNotFound`, `AuthorsOnly` or `PreconditionFailed`."""
        article = await self.get_own(principal, article_id)
        precondition.check(article.revision)
        self._record("article.deleted", article)
        await self.store.delete(article)

    async def _rebind(self, principal: Principal, article: Article, full_name: str | None) -> None:
        if article.card_of is not None:
            raise invalid(["body", "model"], "a card stays with its model")
        model = await self._bound(principal, full_name)
        article.model_id = model.id if model else None

    async def _bound(self, principal: Principal, full_name: str | None) -> Model | None:
        if full_name is None:
            return None
        model = await self._model(principal, full_name)
        if model is None:
            raise invalid(["body", "model"], "no such model", "model_not_found")
        return model

    async def _reloaded(self, article: Article) -> Article:
        await self._session.refresh(article, ["author", "organization"])
        return article

    def _record(self, kind: str, article: Article, **payload: JsonValue) -> None:
        record(
            self._session,
            kind,
            str(article.id),
            article.organization_id,
            revision=article.revision,
            published=article.published,
            **payload,
        )


async def html_of(article: Article) -> str:
    """Return the content as HTML that is safe to put into a page."""
    return article.html if article.html is not None else await readable(article.content)


def _name(names: dict[UUID, str], article: Article) -> str | None:
    return names.get(article.model_id) if article.model_id else None


def require_author(principal: Principal, article: Article) -> None:
    """Raise `AuthorsOnly` unless the caller wrote an article; one whose author is gone is for any editor."""
    if article.organization_id != principal.organization_id:
        raise AuthorsOnly("the article belongs to another organization")
    if article.author_id not in {None, principal.user_id}:
        raise AuthorsOnly("only its author changes an article")
