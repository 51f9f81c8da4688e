"""`argosy articles`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from argosy.cli.console import JsonOption, ModelName, OrganizationOption, YesOption, delete, say, session, show
from argosy.client import Argosy
from argosy.client.requests import given

articles = typer.Typer(help="Articles and models' cards, in Markdown.", no_args_is_help=True)
COLUMNS = ("id", "title", "published", "organization", "model", "tags", "updated_at")
REVISION_COLUMNS = ("number", "title", "published", "tags", "created_at")
ArticleId = Annotated[str, typer.Argument(metavar="ID", help="The article's id.")]
FileArgument = Annotated[Path, typer.Argument(help="A Markdown file; `-` is standard input.")]
TagsOption = Annotated[list[str] | None, typer.Option("--tag", help="Repeat it for several.")]
Number = Annotated[int, typer.Argument(help="Revision number.", min=1)]


@articles.command("list")
def list_articles(
    search: Annotated[str | None, typer.Option(help="Words in the title or text.")] = None,
    model: Annotated[str | None, typer.Option(help="Full name of the model they are about.")] = None,
    author: Annotated[str | None, typer.Option(help="Username of who wrote them.")] = None,
    tag: Annotated[str | None, typer.Option()] = None,
    drafts: Annotated[bool, typer.Option("--drafts", help="Only what is not published.")] = False,
    json: JsonOption = False,
) -> None:
    """List the articles you may read, newest first."""
    with session() as client:
        only = given(model=model, author=author, tag=tag, published=False if drafts else None)
        show(list(client.articles(search, **only)), json, COLUMNS)


@articles.command("show")
def show_article(article_id: ArticleId, json: JsonOption = False) -> None:
    """Print an article's text."""
    with session() as client:
        article = client.article(article_id)
        if json:
            show(article, json, COLUMNS)
        else:
            say(f"{article.title}\n\n{article.content}")


@articles.command("write")
def write_article(
    title: Annotated[str, typer.Argument()],
    file: FileArgument,
    model: Annotated[str | None, typer.Option(help="Full name of the model it is about.")] = None,
    tag: TagsOption = None,
    publish: Annotated[bool, typer.Option("--publish", help="Publish it at once.")] = False,
    org: OrganizationOption = None,
    json: JsonOption = False,
) -> None:
    """Write an article, as a draft."""
    with session() as client:
        fields = given(model=model, tags=tag, published=publish)
        show(client.write_article(title, _text(file), organization=org, **fields), json, COLUMNS)


@articles.command("edit")
def edit_article(
    article_id: ArticleId,
    title: Annotated[str | None, typer.Option()] = None,
    file: Annotated[Path | None, typer.Option(help="A Markdown file; `-` is standard input.")] = None,
    model: Annotated[str | None, typer.Option(help="An empty text takes it off its model.")] = None,
    tag: TagsOption = None,
    revision: Annotated[int | None, typer.Option(help="Change it only if it still has this revision.")] = None,
    json: JsonOption = False,
) -> None:
    """Change an article of yours; what is left out stays."""
    with session() as client:
        changes = given(title=title, content=_text(file) if file else None, model=model, tags=tag)
        if not changes:
            raise ValueError("give --title, --file, --model or --tag")
        if model == "":
            changes["model"] = None
        show(client.update_article(article_id, revision=revision, **changes), json, COLUMNS)


@articles.command("publish")
def publish_article(article_id: ArticleId, json: JsonOption = False) -> None:
    """Publish an article of yours: anybody may read it then."""
    with session() as client:
        show(client.publish_article(article_id), json, COLUMNS)


@articles.command("unpublish")
def unpublish_article(article_id: ArticleId, json: JsonOption = False) -> None:
    """Make an article of yours a draft again."""
    with session() as client:
        show(client.unpublish_article(article_id), json, COLUMNS)


@articles.command("delete")
def delete_article(article_id: ArticleId, yes: YesOption = False, json: JsonOption = False) -> None:
    """Delete an article of yours with its revisions."""
    delete(article_id, Argosy.delete_article, f"Delete {article_id} with its revisions?", yes=yes, as_json=json)


@articles.command("revisions")
def list_revisions(article_id: ArticleId, json: JsonOption = False) -> None:
    """List what an article was."""
    with session() as client:
        show(list(client.article_revisions(article_id)), json, REVISION_COLUMNS)


@articles.command("restore")
def restore_article(article_id: ArticleId, number: Number, json: JsonOption = False) -> None:
    """Make an earlier text of an article the current one."""
    with session() as client:
        show(client.restore_article(article_id, number), json, COLUMNS)


@articles.command("card")
def card(
    name: ModelName,
    file: Annotated[Path | None, typer.Argument(help="A Markdown file to make it of; `-` is standard input.")] = None,
    json: JsonOption = False,
) -> None:
    """Print a model's card, or write it."""
    with session() as client:
        found = client.set_card(name, _text(file)) if file else client.card(name)
        if json or file:
            show(found, json, COLUMNS)
        else:
            say(found.content)


def _text(file: Path) -> str:
    return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
