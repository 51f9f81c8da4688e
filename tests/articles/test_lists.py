"""Lists of articles: newest first, by page and by cursor, filtered, found by words; in few statements, by indexes."""

from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argosy.kit import search
from argosy.kit.db.session import Database
from argosy.kit.slugs import MAX_SLUG, distinct, slugify
from bench.filling import Owner, fill_articles
from tests.articles.support import titles, written
from tests.support.callers import Caller, actor
from tests.support.statements import explain, reads_whole, statements

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


async def test_what_many_have_is_found_as_what_few_have(owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        await written(owner, title=f"iris {'red' * (number % 2)} {number}", tags=["a", *(["b"] if number > 1 else [])])
    asked: list[dict[str, str]] = [
        {"q": "iris"}, {"q": "ir"}, {"q": "red"}, {"q": "re"}, {"q": "iri red"}, {"q": "red ir"}, {"q": "3"},
        {"tag": "A"}, {"tag": "b", "q": "red"}, {"tag": "b", "q": "x"}, {"q": "%"}, {"q": "i_is"},
        {"q": "3 iri"}, {"q": "none iri"},
    ]  # fmt: skip
    few = [await titles(owner, **one) for one in asked]
    assert [len(one) for one in few] == [4, 4, 2, 2, 0, 2, 1, 4, 1, 0, 0, 0, 1, 0]
    for name, least in (("COMMON", 1), ("COMMON", 2000), ("OFTEN", 1), ("OFTEN", 3)):
        monkeypatch.setattr(search, name, least)
        assert [await titles(owner, **one) for one in asked] == few, (name, least)


# How much a list costs


async def test_a_list_costs_as_many_statements_whatever_its_length(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, stranger: Caller
) -> None:
    await owner.post("/models", json={"name": "iris", "visibility": "public"})
    looked_up = 2 if app.state.database.dialect == "sqlite" else 0  # how common a term is
    counts = []
    for wanted in (1, 12):
        for _ in range(wanted):
            await written(owner, model="owner/iris", published=True)
            await written(stranger, published=True)
        for ask, path, expected in (
            (owner.get, "/articles", 3),
            (owner.get, "/articles?cursor=", 2),
            (owner.get, "/articles?model=owner/iris&author=owner", 4),
            (owner.get, "/articles?q=fisher&tag=iris", 3 + looked_up),
            (owner.get, "/articles?cursor=&q=fisher", 2 + looked_up),
            (client.get, "/api/v1/articles", 2),
            (client.get, "/api/v1/articles?cursor=", 1),
        ):
            with statements(app.state.database, "articles", "FROM models", "article_search") as seen:
                assert len((await ask(path)).json()["items"]) >= wanted
            counts.append((len(seen), expected))
    assert all(seen == expected for seen, expected in counts), counts


async def hub(app: FastAPI, owner: Caller, stranger: Caller) -> Database:
    """A database of 100,000 articles of two organizations."""
    owners = []
    for caller in (owner, stranger):
        made = (await caller.post("/models", json={"name": "iris"})).json()
        owners.append(Owner(UUID(caller.organization_id), UUID(caller.user_id), UUID(made["id"])))
    await fill_articles(app.state.database, owners, 100_000)
    database: Database = app.state.database
    return database


NEWEST, FOUND = "ix_articles_newest", "article_search"
# A planner may rather walk the list than sort what half of it is.
PLANS = [
    ("cursor=", (NEWEST,)),
    ("cursor={deep}", (NEWEST,)),
    ("cursor={deep}&published=true", (NEWEST,)),
    ("cursor=&author=stranger", ("ix_articles_author", NEWEST)),
    ("cursor=&model=owner/iris", ("ix_articles_model",)),
    ("cursor=&organization=owner", ("ix_articles_organization", NEWEST)),
    ("cursor=&organization=owner&slug=article-6", ("organization_id_slug", "autoindex_articles_2", "ix_articles_slug")),
    ("cursor=&slug=article-7", ("ix_articles_slug",)),
    ("cursor=&tag=rare", (FOUND,)),
    ("cursor=&tag=common", (NEWEST,)),
    ("cursor=&q=needle", (FOUND,)),
    ("cursor=&q=article%20nothing", (FOUND,)),
    ("cursor=&q=article", (NEWEST,)),
    ("cursor=&q=needle%20w", (FOUND,)),
]


async def test_lists_of_100000_use_indexes(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, stranger: Caller
) -> None:
    database = await hub(app, owner, stranger)
    deep = ""
    for _ in range(3):
        deep = (await owner.get("/articles", params={"cursor": deep, "size": 200})).json()["next_cursor"]
    for query, indexes in PLANS:
        for paged in (query, query.replace("cursor=&", "") if "deep" not in query else "page=3"):
            with statements(database, "articles.content") as seen:
                assert (await owner.get(f"/articles?{paged.format(deep=deep)}")).status_code == 200
            # Few that are found are counted and cut with one statement, and read by their ids with another.
            pages = [one for one in seen if "LIMIT" in one[0]]
            explained = await explain(database, actor(owner), pages[0])
            assert any(index in explained for index in indexes), (paged, explained)
            assert not reads_whole(explained, "articles"), (paged, explained)
            assert len(pages) == 1
    with statements(database, "count(") as seen:
        first = (await client.get("/api/v1/articles")).json()
        assert (await client.get("/api/v1/articles?page=1800")).json()["total"] == first["total"] == 91_000
        assert (await client.get("/api/v1/articles?tag=rare")).json()["total"] == 1000
    assert len([one for one in seen if "articles" in one[0]]) == 2, "a long list is counted once for several pages"
    beyond = (await client.get("/api/v1/articles?tag=rare&page=1000")).json()
    assert (beyond["items"], beyond["total"]) == ([], 1000)
