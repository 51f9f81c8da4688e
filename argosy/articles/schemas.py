"""Wire shapes of articles."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from argosy.articles.models import Article, ArticleRevision
from argosy.kit.schemas import Read, RequestSchema, Schema, Slug, Text, no_nul

MIN_CONTENT, MAX_CONTENT = 10, 100_000
EXAMPLE: dict[str, Any] = {
    "title": "How iris was trained",
    "content": "# Data\n\nFisher's measurements of 150 flowers, split by hand.",
    "published": True,
    "tags": ["iris", "botany"],
    "model": "ada/iris",
}


def _long_enough(content: str) -> str:
    if len(content.strip()) < MIN_CONTENT:
        raise ValueError(f"should have at least {MIN_CONTENT} characters")
    return content


def _each_once(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


# Spaces at the beginning of a line mean something in Markdown, so each field says whether they are stripped.
Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(no_nul),
    Field(examples=[EXAMPLE["title"]]),
]
Content = Annotated[
    Text,
    StringConstraints(min_length=MIN_CONTENT, max_length=MAX_CONTENT),
    AfterValidator(_long_enough),
    Field(description="Markdown (CommonMark with tables).", examples=[EXAMPLE["content"]]),
]
ArticleTag = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50), AfterValidator(no_nul)
]
ArticleTags = Annotated[
    list[ArticleTag],
    Field(max_length=50, description="Labels to find it by, in any case.", examples=[EXAMPLE["tags"]]),
    AfterValidator(_each_once),
]
FullName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9._-]{1,63}/[a-z0-9._-]{1,63}$"),
    Field(description="Full name of a model.", examples=["ada/iris"]),
]


class ArticleCreate(RequestSchema):
    """A new article, a draft unless it is published at once."""

    model_config = ConfigDict(str_strip_whitespace=False, json_schema_extra={"examples": [EXAMPLE]})

    title: Title
    content: Content
    published: bool = False
    tags: ArticleTags = Field(default_factory=list)
    model: FullName | None = None


class ArticleUpdate(RequestSchema):
    """What may change of an article; a field that is left out stays."""

    model_config = ConfigDict(
        str_strip_whitespace=False, json_schema_extra={"examples": [{"title": "How iris was trained, again"}]}
    )

    title: Title | None = None
    content: Content | None = None
    published: bool | None = None
    tags: ArticleTags | None = None
    model: FullName | None = Field(None, description="Null takes the article off its model.")


class CardSet(RequestSchema):
    """A model's card."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"content": "# Intended use\n\nTells three kinds of iris apart."}]}
    )

    title: Title | None = Field(None, description="The model's full name if left out of a new card.")
    content: Content
    published: bool = Field(True, description="Whether everyone who may see the model may read it.")
    tags: ArticleTags | None = None


class ArticleFilter(Schema):
    """Which articles are wanted."""

    model: FullName | None = None
    author: str | None = None
    organization: Slug | None = None
    slug: str | None = None
    tag: str | None = None
    q: str | None = None
    published: bool | None = None


class Author(Schema):
    """Who wrote an article."""

    id: UUID
    username: str


class ArticleSummary(Read):
    """An article in a list."""

    model_config = ConfigDict(str_strip_whitespace=False)

    title: str
    slug: str
    content: str
    excerpt: str = Field(description="How it begins, as plain text.")
    published: bool
    published_at: datetime | None
    tags: list[str]
    author: Author | None = Field(description="Null once the account is deleted.")
    organization: str = Field(examples=["ada"])
    model: str | None = Field(description="Full name of its model, told to those who may see the model.")
    card: bool = Field(description="Whether it is its model's card.")
    revision: int

    @classmethod
    def of(cls, article: Article, model: str | None, **more: str) -> Self:
        """Return the wire shape of a row."""
        shown = ("id", "created_at", "updated_at", "title", "slug", "content", "excerpt", "published", "published_at")
        return cls.model_validate(
            {
                **{name: getattr(article, name) for name in shown},
                "tags": article.tags,
                "author": article.author and Author.model_validate(article.author),
                "organization": article.organization.slug,
                "model": model,
                "card": article.card_of is not None,
                "revision": article.revision,
                **more,
            }
        )


class ArticleRead(ArticleSummary):
    """An article."""

    html: str = Field(description="The content as HTML that is safe to put into a page.")


class RevisionSummary(Schema):
    """A revision in a list."""

    model_config = ConfigDict(str_strip_whitespace=False)

    number: int
    title: str
    tags: list[str]
    published: bool
    edited_by: UUID
    created_at: datetime

    @classmethod
    def of(cls, revision: ArticleRevision) -> Self:
        """Return the wire shape of a row."""
        return cls.model_validate(revision)


class RevisionRead(RevisionSummary):
    """An article as it was with one revision."""

    content: str
