"""SQL of articles."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, delete, exists, false, func, or_, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, joinedload, undefer

from argosy.articles.models import Article, ArticleRevision, ArticleSearch
from argosy.articles.schemas import ArticleFilter
from argosy.identity.models import User
from argosy.kit import search
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.principal import Principal, Scope
from argosy.kit.repository import Repository, TenantRepository
from argosy.kit.search import Search
from argosy.kit.slugs import distinct, slugify
from argosy.organizations.models import Organization
from argosy.registry.service import ModelReader

MAX_REVISIONS = 200


class ArticleRepository(TenantRepository[Article]):
    """Articles: published ones for anybody, drafts for their author and the organization's editors."""

    model = Article

    def __init__(self, session: ReadSession) -> None:
        super().__init__(session)
        self._models = ModelReader(session)

    def readable_by(self, principal: Principal | None) -> Select[Article]:
        """Select what a caller may read, or somebody who is not known."""
        shown = select(Article).options(joinedload(Article.author), joinedload(Article.organization))
        if principal is None:
            return shown.where(Article.published, func.coalesce(Article.card_of.is_(None), true()))
        # A card is for those who see its model. Not an OR, which makes SQLite leave the index of the order.
        seen = case((Article.card_of.is_(None), true()), else_=Article.card_of.in_(self._models.ids(principal)))
        return shown.where(or_(Article.published, self._drafts_of(principal)), seen)

    def editable_by(self, principal: Principal) -> Select[Article]:
        """Select what a caller sees as an editor or as the author: the drafts and the revisions too."""
        return self.readable_by(principal).where(self._drafts_of(principal))

    @staticmethod
    def _drafts_of(principal: Principal) -> ColumnElement[bool]:
        own = Article.organization_id == principal.organization_id
        return own if principal.may(Scope.ARTICLES_WRITE) else and_(own, Article.author_id == principal.user_id)

    async def get(self, statement: Select[Article], article_id: UUID) -> Article | None:
        """Return one of the articles of a selection, with its HTML."""
        return await self.one_or_none(statement.where(Article.id == article_id).options(undefer(Article.html)))

    async def card(self, statement: Select[Article], model_id: UUID) -> Article | None:
        """Return a model's card, if it is in a selection."""
        return await self.one_or_none(statement.where(Article.card_of == model_id).options(undefer(Article.html)))

    async def has_card(self, model_id: UUID) -> bool:
        """Tell whether a model has a card, whoever may see it."""
        return bool(await self._session.scalar(select(exists().where(Article.card_of == model_id))))

    async def published_cards(self, model_ids: Collection[UUID]) -> Sequence[Article]:
        """Return the published cards of some models, with their HTML."""
        cards = select(Article).where(Article.card_of.in_(model_ids), Article.published)
        return (await self._session.scalars(cards.options(undefer(Article.html)))).all()

    async def matching(
        self, principal: Principal | None, only: ArticleFilter, model_id: UUID | None
    ) -> Select[Article]:
        """Select what a caller may read and asks for; `model_id` is that of the model asked for."""
        statement = self.readable_by(principal)
        if model_id is not None:
            statement = statement.where(Article.model_id == model_id)
        if only.author is not None:
            author = select(User.id).where(User.username == only.author.lower())
            statement = statement.where(await self._is(Article.author_id, author))
        if only.organization is not None:
            organization = select(Organization.id).where(Organization.slug == only.organization)
            statement = statement.where(await self._is(Article.organization_id, organization))
        if only.slug is not None:
            statement = statement.where(Article.slug == only.slug)
        if only.published is not None:
            statement = statement.where(Article.published.is_(only.published))
        wanted = Search(only.q, [only.tag] if only.tag else [])
        if not wanted:
            return statement
        return await search.narrowed(self._session, statement, ArticleSearch, Article.id, wanted)

    async def _is(self, column: InstrumentedAttribute[Any], wanted: Select[UUID]) -> ColumnElement[bool]:
        """Look an id up first: of an id the planner knows how many rows have it, of a subquery it does not."""
        found = await self._session.scalar(wanted)
        return false() if found is None else column == found


class ArticleStore(ArticleRepository):
    """Writes articles, and with them what they are found by and what they were."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)
        self._writing = session

    async def insert(self, article: Article, edited_by: UUID) -> None:
        """Insert an article, under a slug that its organization has not used yet."""
        slug = slugify(article.title, "article")
        mark = article.id.hex[-8:]
        taken = exists().where(Article.organization_id == article.organization_id, Article.slug == slug)
        article.slug = distinct(slug, mark) if await self._session.scalar(select(taken)) else slug
        try:
            async with self._writing.begin_nested():
                self._writing.add(article)
        except IntegrityError:
            # Somebody else has just taken it.
            article.slug = distinct(slug, mark)
            await self.add(article)
        await self.keep(article, edited_by)

    async def keep(self, article: Article, edited_by: UUID) -> None:
        """Keep what an article is now as a revision, and what it is found by."""
        await search.index(self._writing, ArticleSearch, article.id, [article.title, article.content], article.tags)
        self._writing.add(
            ArticleRevision(
                organization_id=article.organization_id,
                article_id=article.id,
                number=article.revision,
                title=article.title,
                content=article.content,
                tags=article.tags,
                published=article.published,
                edited_by=edited_by,
            )
        )
        await self._writing.flush()
        old = (ArticleRevision.article_id == article.id, ArticleRevision.number <= article.revision - MAX_REVISIONS)
        await self._writing.execute(delete(ArticleRevision).where(*old))


class RevisionRepository(Repository[ArticleRevision]):
    """Revisions, reached through their article."""

    model = ArticleRevision

    def of(self, article_id: UUID) -> Select[ArticleRevision]:
        """Select the revisions of an article whose drafts the caller may see."""
        return select(ArticleRevision).where(ArticleRevision.article_id == article_id)

    async def by_number(self, article_id: UUID, number: int) -> ArticleRevision | None:
        """Return a revision by number."""
        return await self.one_or_none(self.of(article_id).where(ArticleRevision.number == number))
