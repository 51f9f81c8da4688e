"""What can go wrong with articles."""

from argosy.kit.errors import Forbidden, NotFound


class ArticleNotFound(NotFound):
    """No such article, or not for this caller."""

    type, title = "article-not-found", "Article not found"


class RevisionNotFound(NotFound):
    """The article has no such revision, or it is no longer kept."""

    type, title = "revision-not-found", "Revision not found"


class CardNotFound(NotFound):
    """The model has no card that this caller may see."""

    type, title = "card-not-found", "Card not found"


class AuthorsOnly(Forbidden):
    """Only its author changes an article."""

    type, title = "authors-only", "Only its author may"
