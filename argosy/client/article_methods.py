"""What a client does about articles and models' cards."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from argosy.client import articles, results
from argosy.client.requests import given, under
from argosy.client.running import AsyncRunner, Runner


class ArticleMethods(Runner):
    """Articles, their revisions, and models' cards."""

    def articles(self, search: str | None = None, **only: Any) -> Iterator[results.Article]:  # noqa: ANN401
        """List the articles you may read, newest first.

        `only` takes `model`, `author`, `organization`, `slug`, `tag` and `published`.
        """
        return self._each(self._list("/articles", results.Article, **given(q=search, **only)))

    def article(self, article_id: object) -> results.Article:
        """Show an article."""
        return self.send(articles.get(article_id))

    def write_article(
        self,
        title: str,
        content: str,
        *,
        organization: str | None = None,
        **fields: Any,  # noqa: ANN401 - the API's fields
    ) -> results.Article:
        """Write an article in Markdown, a draft unless `published`; `fields` are `published`, `tags` and `model`."""
        return self.send(articles.create({"title": title, "content": content, **given(**fields)}, organization))

    def update_article(
        self,
        article_id: object,
        *,
        revision: int | None = None,
        **changes: Any,  # noqa: ANN401 - the API's fields
    ) -> results.Article:
        """Change an article of yours; with `revision`, only if nobody has changed it since."""
        return self.send(articles.update(article_id, changes, revision))

    def publish_article(self, article_id: object) -> results.Article:
        """Publish an article of yours: anybody may read it then."""
        return self.send(articles.publish(article_id))

    def unpublish_article(self, article_id: object) -> results.Article:
        """Make an article of yours a draft again."""
        return self.send(articles.unpublish(article_id))

    def delete_article(self, article_id: object) -> None:
        """Delete an article of yours with its revisions."""
        self.send(articles.delete(article_id))

    def article_revisions(self, article_id: object) -> Iterator[results.ArticleRevision]:
        """List what an article was, newest first, without the texts."""
        return self._each(self._list(under("articles", article_id, "revisions"), results.ArticleRevision))

    def article_revision(self, article_id: object, number: int) -> results.ArticleRevision:
        """Show what an article was with one revision."""
        return self.send(articles.revision(article_id, number))

    def restore_article(self, article_id: object, number: int) -> results.Article:
        """Make an earlier title, content and tags of an article the current ones."""
        return self.send(articles.restore(article_id, number))

    def card(self, name: str) -> results.Article:
        """Show a model's card."""
        return self._run(self._of(name, articles.get_card))

    def set_card(
        self,
        name: str,
        content: str,
        *,
        revision: int | None = None,
        **fields: Any,  # noqa: ANN401 - the API's fields
    ) -> results.Article:
        """Write a model's card in Markdown, or change it; `fields` are `title`, `published` and `tags`."""
        return self._run(self._of(name, articles.set_card, {"content": content, **given(**fields)}, revision))


class AsyncArticleMethods(AsyncRunner):
    """Articles, their revisions, and models' cards."""

    def articles(self, search: str | None = None, **only: Any) -> AsyncIterator[results.Article]:  # noqa: ANN401
        """List the articles you may read, newest first.

        `only` takes `model`, `author`, `organization`, `slug`, `tag` and `published`.
        """
        return self._each(self._list("/articles", results.Article, **given(q=search, **only)))

    async def article(self, article_id: object) -> results.Article:
        """Show an article."""
        return await self.send(articles.get(article_id))

    async def write_article(
        self,
        title: str,
        content: str,
        *,
        organization: str | None = None,
        **fields: Any,  # noqa: ANN401 - the API's fields
    ) -> results.Article:
        """Write an article in Markdown, a draft unless `published`; `fields` are `published`, `tags` and `model`."""
        return await self.send(articles.create({"title": title, "content": content, **given(**fields)}, organization))

    async def update_article(
        self,
        article_id: object,
        *,
        revision: int | None = None,
        **changes: Any,  # noqa: ANN401 - the API's fields
    ) -> results.Article:
        """Change an article of yours; with `revision`, only if nobody has changed it since."""
        return await self.send(articles.update(article_id, changes, revision))

    async def publish_article(self, article_id: object) -> results.Article:
        """Publish an article of yours: anybody may read it then."""
        return await self.send(articles.publish(article_id))

    async def unpublish_article(self, article_id: object) -> results.Article:
        """Make an article of yours a draft again."""
        return await self.send(articles.unpublish(article_id))

    async def delete_article(self, article_id: object) -> None:
        """Delete an article of yours with its revisions."""
        await self.send(articles.delete(article_id))

    def article_revisions(self, article_id: object) -> AsyncIterator[results.ArticleRevision]:
        """List what an article was, newest first, without the texts."""
        return self._each(self._list(under("articles", article_id, "revisions"), results.ArticleRevision))

    async def article_revision(self, article_id: object, number: int) -> results.ArticleRevision:
        """Show what an article was with one revision."""
        return await self.send(articles.revision(article_id, number))

    async def restore_article(self, article_id: object, number: int) -> results.Article:
        """Make an earlier title, content and tags of an article the current ones."""
        return await self.send(articles.restore(article_id, number))

    async def card(self, name: str) -> results.Article:
        """Show a model's card."""
        return await self._run(self._of(name, articles.get_card))

    async def set_card(
        self,
        name: str,
        content: str,
        *,
        revision: int | None = None,
        **fields: Any,  # noqa: ANN401 - the API's fields
    ) -> results.Article:
        """Write a model's card in Markdown, or change it; `fields` are `title`, `published` and `tags`."""
        return await self._run(self._of(name, articles.set_card, {"content": content, **given(**fields)}, revision))
