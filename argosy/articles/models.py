"""Articles, what they were before, and what they are found by."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from argosy.identity.models import User
from argosy.kit.db.base import Base, Revised, TenantRow
from argosy.kit.db.tenancy import RowPolicy
from argosy.kit.search import SearchEntry
from argosy.organizations.models import Organization


class Article(Revised, TenantRow):
    """A Markdown text. Anybody reads it once it is published; a model's card, only who may see the model."""

    __tablename__ = "articles"
    __table_args__ = (
        UniqueConstraint("organization_id", "slug"),
        # Who may see a row is told by the index, so that counting does not read the texts.
        Index("ix_articles_newest", "created_at", "id", "published", "organization_id", "card_of", "author_id"),
        Index("ix_articles_organization", "organization_id", "created_at", "id", "published", "card_of", "author_id"),
        Index("ix_articles_slug", "slug"),
        Index("ix_articles_author", "author_id", "created_at", "id"),
        Index("ix_articles_model", "model_id", "created_at", "id"),
    )
    __row_policy__: ClassVar[RowPolicy] = RowPolicy(
        also_read="published AND (card_of IS NULL OR EXISTS"
        " (SELECT 1 FROM models WHERE models.id = card_of AND models.visibility = 'public'))"
    )

    title: Mapped[str]
    slug: Mapped[str]
    content: Mapped[str]
    excerpt: Mapped[str]
    html: Mapped[str | None] = mapped_column(
        deferred=True, deferred_raiseload=True, doc="The content rendered; null where it is to be rendered anew."
    )
    published: Mapped[bool] = mapped_column(default=False)
    published_at: Mapped[datetime | None]
    tags: Mapped[list[str]] = mapped_column(default=list)
    author_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL"), doc="Null once the author's account is deleted."
    )
    model_id: Mapped[UUID | None] = mapped_column(ForeignKey("models.id", ondelete="SET NULL"))
    card_of: Mapped[UUID | None] = mapped_column(
        ForeignKey("models.id", ondelete="CASCADE"), unique=True, doc="The model whose card it is."
    )
    author: Mapped[User | None] = relationship(lazy="raise")
    organization: Mapped[Organization] = relationship(lazy="raise")


class ArticleRevision(TenantRow):
    """An article as it was with one revision; only those who may see its drafts see it."""

    __tablename__ = "article_revisions"
    __table_args__ = (UniqueConstraint("article_id", "number"),)

    article_id: Mapped[UUID] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"))
    number: Mapped[int]
    title: Mapped[str]
    content: Mapped[str]
    tags: Mapped[list[str]]
    published: Mapped[bool]
    edited_by: Mapped[UUID]


class ArticleSearch(SearchEntry, Base):
    """What an article is found by."""

    __tablename__ = "article_search"
    __subject__ = "articles"
