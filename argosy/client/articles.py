"""The calls about articles and models' cards."""

from argosy.client import results
from argosy.client.requests import Call, Json, about, expecting, nothing, once, parsed, under


def create(body: Json, organization: str | None) -> Call[results.Article]:
    """Write an article."""
    headers = {**once(), "X-Organization": organization} if organization else once()
    return Call("POST", "/articles", parsed(results.Article), json=body, headers=headers)


def get(article_id: object) -> Call[results.Article]:
    """Show an article."""
    return Call("GET", _at(article_id), parsed(results.Article))


def update(article_id: object, changes: Json, revision: int | None) -> Call[results.Article]:
    """Change an article, if it still has a revision."""
    return Call("PATCH", _at(article_id), parsed(results.Article), json=changes, headers=expecting(revision))


def publish(article_id: object) -> Call[results.Article]:
    """Publish an article."""
    return Call("POST", _at(article_id, "publish"), parsed(results.Article))


def unpublish(article_id: object) -> Call[results.Article]:
    """Make an article a draft again."""
    return Call("POST", _at(article_id, "unpublish"), parsed(results.Article))


def delete(article_id: object) -> Call[None]:
    """Delete an article."""
    return Call("DELETE", _at(article_id), nothing)


def revision(article_id: object, number: int) -> Call[results.ArticleRevision]:
    """Show what an article was."""
    return Call("GET", _at(article_id, "revisions", number), parsed(results.ArticleRevision))


def restore(article_id: object, number: int) -> Call[results.Article]:
    """Restore what an article was."""
    return Call("POST", _at(article_id, "revisions", number, "restore"), parsed(results.Article))


def get_card(full_name: str) -> Call[results.Article]:
    """Show a model's card."""
    return Call("GET", about(full_name, "card"), parsed(results.Article))


def set_card(full_name: str, body: Json, revision: int | None) -> Call[results.Article]:
    """Write a model's card."""
    return Call("PUT", about(full_name, "card"), parsed(results.Article), json=body, headers=expecting(revision))


def _at(article_id: object, *rest: object) -> str:
    return under("articles", article_id, *rest)
