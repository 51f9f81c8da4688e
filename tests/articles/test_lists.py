"""Lists of articles: newest first, by page and by cursor, filtered, found by words; in few statements, by indexes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx2
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, insert, text

from argosy.articles.models import Article, ArticleSearch
from argosy.kit.clock import now
from argosy.kit.db.session import Database, UnitOfWork
from argosy.kit.db.tenancy import NOBODY, Actor
from argosy.kit.ids import new_id
from argosy.kit.search import terms_of
from argosy.kit.slugs import MAX_SLUG, distinct, slugify
from tests.articles.support import titles, written
from tests.support.callers import Caller, actor

# A text as people write it: no surrogates, no control characters.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def test_the_newest_comes_first_by_page_and_by_cursor(owner: Caller) -> None:
    for number in range(5):
        await written(owner, title=f"t{number}", published=number % 2 == 0)
    newest = [f"t{number}" for number in (4, 3, 2, 1, 0)]
    assert await titles(owner) == newest
    assert await titles(owner, sort="created_at") == newest[::-1]
    page = (await owner.get("/articles?page=2&size=2")).json()
    assert ([one["title"] for one in page["items"]], page["total"], page["pages"]) == (newest[2:4], 5, 3)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = (await owner.get("/articles", params={"cursor": cursor, "size": 2})).json()
        seen += [one["title"] for one in answer["items"]]
        cursor = answer["next_cursor"]
        await written(owner, title="new")
    assert seen == newest
    assert (await owner.get("/articles?sort=title")).status_code == 422
    assert (await owner.get("/articles?cursor=nonsense")).status_code == 422


async def test_filters_narrow_and_combine(client: httpx2.AsyncClient, owner: Caller, stranger: Caller) -> None:
    await owner.post("/models", json={"name": "iris"})
    await written(owner, title="Flowers", model="owner/iris", published=True)
    await written(owner, title="Draft")
    await written(stranger, title="Theirs", tags=["Machine Learning"], published=True)
    for params, expected in (
        ({"author": "stranger"}, ["Theirs"]),
        ({"author": "Owner"}, ["Draft", "Flowers"]),
        ({"author": "nobody"}, []),
        ({"organization": "owner"}, ["Draft", "Flowers"]),
        ({"model": "owner/iris"}, ["Flowers"]),
        ({"model": "owner/none"}, []),
        ({"tag": "BOTANY"}, ["Draft", "Flowers"]),
        ({"tag": "bot"}, []),
        ({"tag": "machine learning"}, ["Theirs"]),
        ({"tag": "machine"}, []),
        ({"published": "false"}, ["Draft"]),
        ({"q": "flow"}, ["Draft", "Theirs", "Flowers"]),
        ({"q": "flow", "tag": "botany", "author": "owner", "published": "true"}, ["Flowers"]),
        ({"q": "machine"}, []),
    ):
        assert sorted(await titles(owner, **params)) == sorted(expected), params
        by_cursor = await titles(owner, cursor="", **params)
        assert sorted(by_cursor) == sorted(expected), params
    listed = (await client.get("/api/v1/articles?q=fisher")).json()
    assert [one["title"] for one in listed["items"]] == ["Theirs", "Flowers"]
    for bad in ({"model": "iris"}, {"q": "x" * 201}, {"tag": "x" * 51}, {"published": "perhaps"}):
        assert (await owner.get("/articles", params=bad)).status_code == 422, bad


async def test_words_are_found_whatever_they_are_written_like(owner: Caller) -> None:
    await written(owner, title="Crème Brûlée", content="Straße nach Αθήνα und 機械学習, foo_bar-baz3 O'Neill.")
    for query in (
        "creme", "CRÈME", "brul", "strasse", "αθηνα", "学習", "機械", "foo", "bar", "baz3", "neill", "creme bru",
        "creme - brulee!", "und creme",
    ):  # fmt: skip
        assert await titles(owner, q=query) == ["Crème Brûlée"], query
    for query in (
        "reme",
        "creme foo nothing",
        "baz4",
        "!!!",
        "' OR 1=1 --",
        '"creme" NEAR missing',
        "wcreme",
        "terms:x",
    ):
        assert await titles(owner, q=query) == [], query
    assert await titles(owner, q="  ") == await titles(owner, q="") == ["Crème Brûlée"]


async def test_what_is_found_follows_what_is_written(owner: Caller) -> None:
    path = f"/articles/{(await written(owner, title='Before'))['id']}"
    await owner.patch(path, json={"title": "After", "tags": ["new"]})
    assert (await titles(owner, q="before"), await titles(owner, tag="iris")) == ([], [])
    assert await titles(owner, q="after") == await titles(owner, tag="new") == ["After"]
    await owner.delete(path)
    assert await titles(owner, q="after") == []


@quick
@given(
    title=TEXTS.filter(lambda text: text.strip()), tags=st.lists(TEXTS.filter(lambda text: text.strip()), max_size=4)
)
async def test_any_title_and_tags_are_kept_and_found(owner: Caller, title: str, tags: list[str]) -> None:
    article = await written(owner, title=title, tags=tags)
    assert article["title"] == title.strip()
    assert article["tags"] == list(dict.fromkeys(tag.strip() for tag in tags))
    assert article["slug"] == article["slug"].lower().strip("-")
    for tag in article["tags"]:
        answer = await owner.get("/articles", params={"tag": tag, "cursor": ""})
        assert article["id"] in {one["id"] for one in answer.json()["items"]}


@quick
@given(found=st.lists(WORDS, min_size=1, max_size=4), query=TEXTS)
async def test_a_text_is_found_by_its_words_and_no_query_fails(owner: Caller, found: list[str], query: str) -> None:
    article = await written(owner, title=" ".join(found))
    answer = await owner.get("/articles", params={"q": " ".join(reversed(found)), "cursor": ""})
    assert article["id"] in {one["id"] for one in answer.json()["items"]}
    assert (await owner.get("/articles", params={"q": query})).status_code == 200


@given(st.text(max_size=300))
def test_a_slug_is_plain_whatever_the_title(title: str) -> None:
    for slug in (slugify(title, "article"), distinct(slugify(title, "article"), "0a1b2c3d")):
        assert 0 < len(slug) <= MAX_SLUG
        assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert slug == slug.strip("-")
        assert "--" not in slug


# How much a list costs


@contextmanager
def statements(app: FastAPI) -> Iterator[list[tuple[str, Any]]]:
    """The SELECTs about articles, models and people that the database gets meanwhile."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "articles" in statement or "FROM models" in statement:
            seen.append((statement, parameters))

    engine = app.state.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


async def test_a_list_costs_as_many_statements_whatever_its_length(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, stranger: Caller
) -> None:
    await owner.post("/models", json={"name": "iris", "visibility": "public"})
    counts = []
    for wanted in (1, 12):
        for _ in range(wanted):
            await written(owner, model="owner/iris", published=True)
            await written(stranger, published=True)
        for ask, path, expected in (
            (owner.get, "/articles", 3),
            (owner.get, "/articles?cursor=", 2),
            (owner.get, "/articles?model=owner/iris&q=fisher&tag=iris&author=owner", 4),
            (client.get, "/api/v1/articles", 2),
            (client.get, "/api/v1/articles?cursor=", 1),
        ):
            with statements(app) as seen:
                assert len((await ask(path)).json()["items"]) >= wanted
            counts.append((len(seen), expected))
    assert all(seen == expected for seen, expected in counts), counts


async def fill(database: Database, caller: Caller, wanted: int) -> None:
    """Write many articles below the API: most published, one in a hundred tagged `rare` and holding `needle`."""
    async with database.write(actor(caller)) as session:
        for start in range(0, wanted, 5000):
            rows = [row(caller, number) for number in range(start, min(start + 5000, wanted))]
            await session.execute(insert(Article), rows)
            await session.execute(insert(ArticleSearch), [entry(one) for one in rows])
    async with database.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("ANALYZE"))


def row(caller: Caller, number: int) -> dict[str, Any]:
    rare = number % 100 == 0
    return {
        "id": new_id(),
        "organization_id": UUID(caller.organization_id),
        "author_id": UUID(caller.user_id),
        "title": f"Article {number}",
        "slug": f"article-{number}",
        "content": "needle " * rare + f"in the hay of number {number}",
        "excerpt": "in the hay",
        "published": number % 10 != 0 or rare,
        "tags": ["rare"] if rare else ["common"],
        "created_at": now(),
        "updated_at": now(),
        "revision": 1,
    }


def entry(article: dict[str, Any]) -> dict[str, Any]:
    terms = terms_of([article["title"], article["content"]], article["tags"])
    return {"subject_id": article["id"], "terms": terms}


async def plan(database: Database, who: Actor, statement: str, parameters: Any) -> str:
    """How the database would run a statement for somebody."""
    async with UnitOfWork(database) as work:
        await work.act_as(who)
        connection = await (await work.read()).connection()
        if database.dialect == "postgresql":  # which would rather read a table of this size whole
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN " if database.dialect == "sqlite" else "EXPLAIN "
        rows = (await connection.exec_driver_sql(explain + statement, parameters)).all()
        return "\n".join(str(found[-1]) for found in rows)


async def test_lists_use_indexes(app: FastAPI, client: httpx2.AsyncClient, owner: Caller, stranger: Caller) -> None:
    database: Database = app.state.database
    await stranger.post("/models", json={"name": "iris"})
    await written(stranger, model="stranger/iris", published=True)
    await fill(database, owner, 3000)
    cursor = (await stranger.get("/articles?cursor=&size=5")).json()["next_cursor"]
    for query, index in (
        ("", "ix_articles_newest"),
        ("page=3", "ix_articles_newest"),
        ("cursor=", "ix_articles_newest"),
        (f"cursor={cursor}", "ix_articles_newest"),
        ("cursor=&author=stranger", "ix_articles_author"),
        ("cursor=&model=stranger/iris", "ix_articles_model"),
        ("cursor=&organization=owner&slug=article-7", "uq_articles_organization_id_slug"),
        ("cursor=&tag=rare", "article_search_fts"),
        ("cursor=&q=needle", "article_search_fts"),
    ):
        for who, ask in ((actor(stranger), stranger.get), (NOBODY, client.get)):
            if who is NOBODY and "model=" in query:
                continue
            path = "/articles" if who is not NOBODY else "/api/v1/articles"
            with statements(app) as seen:
                assert (await ask(f"{path}?{query}")).status_code == 200
            page = next(one for one in seen if "articles.content" in one[0] and "count(" not in one[0])
            explained = await plan(database, who, *page)
            assert index in explained.replace("sqlite_autoindex_articles_2", index), explained
            assert "Seq Scan on articles" not in explained, explained
            assert "SCAN articles\n" not in explained + "\n", explained
