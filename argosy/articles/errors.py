"""What can go wrong with articles."""

from argosy.kit.errors import ArgosyError, Forbidden, NotFound


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


class NotRenderable(ArgosyError):
    """The Markdown takes too much time or memory to render, or becomes too much HTML."""

    status, type, title = 422, "not-renderable", "Text cannot be rendered"

    def __init__(self) -> None:
        super().__init__("simplify the content: something in it is nested or repeated too often")
