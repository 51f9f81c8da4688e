"""Texts made to take long: most take twice as long for twice the length, and the rest is stopped and refused."""

import asyncio
import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import update

from argosy.articles import dependencies, rendering
from argosy.articles.errors import NotRenderable
from argosy.articles.markdown import MAX_HTML, Rendered, rendered
from argosy.articles.models import Article
from argosy.articles.rendering import SHORT, readable, render
from argosy.articles.schemas import MAX_CONTENT
from argosy.kit.db.session import Database
from bench.processes import tree
from tests.articles.support import ARTICLE, written
from tests.support.callers import Caller

REPEATED = [
    "[", "![", "[a](", "[a](<b", "[a](b)", '[a](b "', "]", "(", ">", "> a\n", "> a\nb\n", "- ", "- a\n", "- a\n\n",
    "- a\n b\n", "1. ", "*", "*a ", "a**b", "**a *b ", "*a_ ", "*_", "* *a", "~~a ", "`a``", "<", "<a ", "<b>",
    "a <!-- ", "a <? ", "a <!A ", "a <![CDATA[", '<a b="', "<p><b>", "<table>", "<b><i></b>", "&", "&#", "\\", "# a\n",
    "```\n", "> ```\n", "[a\n", "[a]: <b\n", '[a]: b "\n', "[a]:\n", "---\n", "a\n", "\n", "\t", "|a|b|\n|-|-|\n",
    "<http:", "<a@a.",
]  # fmt: skip


def nested(opening: str, closing: str) -> Callable[[int], str]:
    return lambda length: opening * (length // 2) + "a" + closing * (length // 2)


def reopened(length: int) -> str:
    """Elements left open, which HTML opens anew in each paragraph."""
    return "<div><p>" + "".join(f"<b x={number}>" for number in range(length // 20)) + "<p>x" * (length // 8)


def referred(length: int) -> str:
    """A long address that is written once and referred to many times."""
    return f"[a]: /{'x' * (length // 2)}\n\n{'[a]' * (length // 6)}"


def filled(length: int) -> str:
    """A table with many columns, whose rows have few."""
    width = int(length**0.5)
    return "|a" * width + "|\n" + "|-" * width + "|\n" + "|\n" * ((length - 4 * width) // 2)


NESTED = [nested(*pair) for pair in (("[", "]"), ("*", "*"), ("_a ", "a_"), ("`", "`"), ("[", "](b)"), ("![", "](b)"))]
GROWING = [*((lambda length, part=part: part * (length // len(part))) for part in REPEATED), *NESTED]
HOSTILE = [reopened, referred]


def work(content: str) -> int:
    """How many calls of Python it takes to render a text: unlike time, always the same."""
    calls = 0

    def count(_frame: FrameType, what: str, _argument: Any) -> None:
        nonlocal calls
        calls += what in {"call", "c_call"}

    sys.setprofile(count)
    try:
        rendered(content)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("made", GROWING, ids=range(len(GROWING)))
def test_twice_the_text_is_twice_the_work(made: Callable[[int], str]) -> None:
    once, twice = made(4000), made(8000)
    assert work(twice) < 2.5 * work(once) + 1000, once[:40]
    assert len(rendered(twice).html) < MAX_HTML / MAX_CONTENT * len(twice), once[:40]


@pytest.mark.parametrize("made", [*GROWING, *HOSTILE, filled], ids=range(len(GROWING) + 3))
def test_a_short_text_is_little_work(made: Callable[[int], str]) -> None:
    assert work(made(SHORT)) < 300_000
    assert len(rendered(made(SHORT)).html) < 100_000


@pytest.mark.parametrize("made", HOSTILE)
async def test_what_grows_faster_is_refused_and_leaves_nothing_running(made: Callable[[int], str]) -> None:
    assert len(rendered(made(8000)).html) > 3 * len(rendered(made(4000)).html)
    before = set(tree(os.getpid()))
    with pytest.raises(NotRenderable):
        await render(made(MAX_CONTENT))
    assert set(tree(os.getpid())) == before


async def test_a_text_has_so_many_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "SECONDS", 0.2)
    before = set(tree(os.getpid()))
    with pytest.raises(NotRenderable):
        await render(reopened(MAX_CONTENT))
    assert set(tree(os.getpid())) == before
    monkeypatch.undo()
    assert (await render("*a* " * SHORT)).html.startswith("<p><em>a</em> ")


async def test_a_hostile_text_is_refused_while_others_write(owner: Caller, stranger: Caller) -> None:
    hostile = asyncio.create_task(owner.post("/articles", json=ARTICLE | {"content": referred(MAX_CONTENT - 100)}))
    await written(stranger)
    refused = await hostile
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:argosy:problem:not-renderable")
    assert (await owner.get("/articles")).json()["total"] == 0


async def test_nothing_is_rendered_in_a_transaction_that_writes(
    app: FastAPI, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    database: Database = app.state.database
    seen: list[str] = []

    async def watched(content: str) -> Rendered:
        async with asyncio.timeout(3), database.write() as session:  # waits for another's on SQLite
            await session.execute(update(Article).values(title=Article.title))  # and on PostgreSQL
        seen.append(content)
        return await render(content)

    monkeypatch.setattr(dependencies, "render", watched)
    path = f"/articles/{(await written(owner))['id']}"
    await written(owner, content="Once, whatever is tried.")
    assert (await owner.patch(path, json={"content": "Changed since."})).status_code == 200
    assert (await owner.patch(path, json={"title": "Changed"})).status_code == 200
    assert (await owner.post(f"{path}/revisions/1/restore")).status_code == 200
    await owner.post("/models", json={"name": "iris"})
    assert (await owner.put("/models/owner/iris/card", json={"content": "What it is for."})).status_code == 200
    assert seen == [
        ARTICLE["content"], "Once, whatever is tried.", "Changed since.", ARTICLE["content"], "What it is for."
    ]  # fmt: skip


async def test_a_text_kept_from_before_that_cannot_be_rendered_is_shown_as_written(app: FastAPI, owner: Caller) -> None:
    article = await written(owner)
    text = referred(MAX_CONTENT) + "<script>"
    async with app.state.database.write() as session:
        await session.execute(update(Article).values(html=None, content=text))
    shown = (await owner.get(f"/articles/{article['id']}")).json()["html"]
    assert shown.startswith("<pre>[a]: /xxx")
    assert shown.endswith("[a]&lt;script&gt;</pre>")
    assert await readable("*a*") == "<p><em>a</em></p>\n"


async def test_a_field_that_is_wrong_is_named_once(owner: Caller) -> None:
    refused = await owner.post("/articles", json={**ARTICLE, "content": "short"})
    assert [one["loc"] for one in refused.json()["errors"]] == [["body", "content"]]
