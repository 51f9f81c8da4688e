"""Articles: published ones are anybody's to read, drafts the author's and editors', and only the author writes."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from argosy.kit.principal import Role
from tests.articles.support import ARTICLE, account_deleted, joined, written
from tests.support.callers import Caller, register


async def test_an_article_is_written_shown_changed_and_deleted(owner: Caller) -> None:
    made = await owner.post("/articles", json=ARTICLE)
    assert made.status_code == 201, made.text
    article = made.json()
    assert {**ARTICLE, "published": False}.items() <= article.items()
    assert article["slug"] == "how-iris-was-trained"
    assert article["author"] == {"id": owner.user_id, "username": "owner"}
    assert (article["organization"], article["model"], article["published_at"]) == ("owner", None, None)
    assert article["html"].startswith("<h1>Data</h1>")
    assert article["excerpt"] == "Data Fisher's measurements of 150 flowers."
    path = f"/articles/{article['id']}"
    shown = await owner.get(path)
    assert shown.json() == article
    assert shown.headers["etag"] == made.headers["etag"] == '"1"'

    changed = await owner.patch(path, json={"title": "Again"}, headers={"If-Match": '"1"'})
    assert changed.status_code == 200, changed.text
    differing = {name for name, value in changed.json().items() if article[name] != value}
    assert differing == {"title", "updated_at", "revision"}
    assert changed.headers["etag"] == '"2"'
    stale = await owner.patch(path, json={"title": "Late"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["type"]) == (412, "urn:argosy:problem:precondition-failed")
    assert (await owner.patch(path, json={})).json() == changed.json()
    assert (await owner.patch(path, json={"title": "Again"})).json() == changed.json()

    assert (await owner.delete(path, headers={"If-Match": '"1"'})).status_code == 412
    assert (await owner.delete(path)).status_code == 204
    gone = await owner.get(path)
    assert (gone.status_code, gone.json()["type"]) == (404, "urn:argosy:problem:article-not-found")


async def test_a_draft_is_its_authors_until_it_is_published(
    client: httpx2.AsyncClient, owner: Caller, stranger: Caller
) -> None:
    path = f"/articles/{(await written(owner))['id']}"
    for answer in (await stranger.get(path), await client.get(f"/api/v1{path}")):
        assert answer.status_code == 404
    for method, body in (("PATCH", {"title": "Mine"}), ("DELETE", None), ("POST", None)):
        answer = await stranger.request(method, path + ("/publish" if method == "POST" else ""), json=body)
        assert answer.status_code == 404, method

    published = await owner.post(f"{path}/publish")
    assert published.status_code == 200
    assert published.json()["published"] is True
    assert published.json()["published_at"] is not None
    assert (await client.get(f"/api/v1{path}")).json() == (await stranger.get(path)).json() == published.json()
    listed = (await client.get("/api/v1/articles")).json()
    assert [one["id"] for one in listed["items"]] == [published.json()["id"]]
    for method, below in (("PATCH", ""), ("DELETE", ""), ("POST", "/publish"), ("POST", "/unpublish")):
        answer = await stranger.request(method, path + below, json={} if method == "PATCH" else None)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:argosy:problem:authors-only"), method
        assert (await client.request(method, f"/api/v1{path}{below}")).status_code in {401, 415}

    assert (await owner.post(f"{path}/unpublish")).json()["published"] is False
    assert (await client.get(f"/api/v1{path}")).status_code == 404
    assert (await client.get("/api/v1/articles")).json()["items"] == []
    assert (await stranger.get("/articles")).json()["total"] == 0


async def test_editors_of_the_organization_see_drafts_and_viewers_do_not(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, stranger: Caller
) -> None:
    await joined(app, owner, stranger, Role.VIEWER)
    path = f"/articles/{(await written(owner))['id']}"
    inside = {"X-Organization": "owner"}
    assert (await stranger.get(path, headers=inside)).status_code == 404
    assert (await stranger.get("/articles", headers=inside)).json()["total"] == 0
    refused = await stranger.patch(path, json={"title": "Mine"}, headers=inside)
    assert (refused.status_code, refused.json()["required_scope"]) == (403, "articles:write")

    await owner.patch(f"/organizations/owner/members/{stranger.user_id}", json={"role": "developer"})
    assert (await stranger.get(path, headers=inside)).status_code == 200
    assert (await stranger.get("/articles", headers=inside)).json()["total"] == 1
    for answer in (
        await stranger.patch(path, json={"title": "Mine"}, headers=inside),
        await stranger.post(f"{path}/publish", headers=inside),
        await stranger.delete(path, headers=inside),
    ):
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:argosy:problem:authors-only")
    # Acting in another organization, the same person is a stranger.
    assert (await stranger.get(path)).status_code == 404


async def test_a_person_demoted_still_sees_their_own_draft(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    await joined(app, owner, stranger, Role.DEVELOPER)
    inside = {"X-Organization": "owner"}
    article = (await stranger.post("/articles", json=ARTICLE, headers=inside)).json()
    assert article["organization"] == "owner"
    await owner.patch(f"/organizations/owner/members/{stranger.user_id}", json={"role": "viewer"})
    assert (await stranger.get(f"/articles/{article['id']}", headers=inside)).status_code == 200
    assert (await stranger.get("/articles", headers=inside)).json()["total"] == 1
    # From elsewhere it is neither seen nor, published, changed.
    assert (await stranger.get(f"/articles/{article['id']}")).status_code == 404


async def test_a_key_without_the_scope_sees_what_anybody_sees(owner: Caller) -> None:
    draft, public = await written(owner), await written(owner, published=True)
    made = await owner.post("/organizations/owner/api-keys", json={"name": "k", "scopes": ["predict"]})
    headers = {"Authorization": f"Bearer {made.json()['key']}"}
    assert [one["id"] for one in (await owner.get("/articles", headers=headers)).json()["items"]] == [public["id"]]
    assert (await owner.get(f"/articles/{draft['id']}", headers=headers)).status_code == 404
    assert (await owner.get("/articles", headers={"Authorization": "Bearer ak_no"})).status_code == 401
    assert (await owner.post("/articles", json=ARTICLE, headers=headers)).status_code == 403
    full = {"Authorization": f"Bearer {owner.key}"}
    assert (await owner.get(f"/articles/{draft['id']}", headers=full)).status_code == 200
    assert (await owner.patch(f"/articles/{draft['id']}", json={"title": "By key"}, headers=full)).status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "   "),
        ("title", "x" * 201),
        ("title", "a\x00b"),
        ("title", None),
        ("content", "nine char"),
        ("content", "   nine char   "),
        ("content", "x" * 100_001),
        ("content", 7),
        ("published", "perhaps"),
        ("tags", ["x"] * 51),
        ("tags", [""]),
        ("tags", ["x" * 51]),
        ("tags", "x"),
        ("model", "iris"),
        ("model", "a/b/c"),
        ("model", "nobody/nothing"),
        ("slug", "mine"),
        ("author_id", "00000000-0000-0000-0000-000000000001"),
    ],
)
async def test_a_bad_field_is_named(owner: Caller, field: str, value: Any) -> None:
    refused = await owner.post("/articles", json={**ARTICLE, field: value})
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["loc"][:2] == ["body", field]
    assert refused.headers["content-type"] == "application/problem+json"


async def test_content_of_ten_characters_keeps_its_spaces(owner: Caller) -> None:
    content = "    indented = code\n\ntext  \n"
    assert (await written(owner, content=content))["content"] == content
    assert (await written(owner, content="exactly 10", title="x" * 200))["title"] == "x" * 200


async def test_a_retry_with_the_same_key_writes_one_article(owner: Caller) -> None:
    headers = {"Idempotency-Key": "once"}
    first, again = [await owner.post("/articles", json=ARTICLE, headers=headers) for _ in range(2)]
    assert (first.json(), again.headers["idempotent-replayed"]) == (again.json(), "true")
    other = await owner.post("/articles", json={**ARTICLE, "title": "Another"}, headers=headers)
    assert other.status_code == 422
    assert (await owner.get("/articles")).json()["total"] == 1


async def test_slugs_are_an_organizations_own_and_stay(owner: Caller, stranger: Caller) -> None:
    first, second, theirs = await written(owner), await written(owner), await written(stranger, published=True)
    assert first["slug"] == theirs["slug"] == "how-iris-was-trained"
    assert second["slug"].startswith("how-iris-was-trained-")
    renamed = (await owner.patch(f"/articles/{first['id']}", json={"title": "Otherwise"})).json()
    assert renamed["slug"] == first["slug"]
    found = (await owner.get("/articles", params={"organization": "owner", "slug": first["slug"]})).json()
    assert [one["id"] for one in found["items"]] == [first["id"]]


async def test_an_article_outlives_its_author_and_is_then_the_editors(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    guest = await register(client, "guest")
    await joined(app, owner, guest, Role.DEVELOPER)
    article = (await guest.post("/articles", json=ARTICLE, headers={"X-Organization": "owner"})).json()
    path = f"/articles/{article['id']}"
    assert (await owner.patch(path, json={"title": "Mine"})).status_code == 403
    await account_deleted(app, guest)
    assert (await owner.get(path)).json()["author"] is None
    assert (await owner.patch(path, json={"title": "Mine"})).status_code == 200
    assert (await owner.delete(path)).status_code == 204


async def test_an_article_with_a_script_is_answered_without_and_under_a_policy(
    client: httpx2.AsyncClient, owner: Caller
) -> None:
    content = "Text <script>alert(1)</script> <img src=x onerror=alert(1)> [x](javascript:alert(1)) *kept*"
    article = await written(owner, content=content, published=True)
    answer = await client.get(f"/api/v1/articles/{article['id']}")
    assert answer.json()["content"] == content
    assert answer.json()["html"].strip() == '<p>Text  <img src="x"> [x](javascript:alert(1)) <em>kept</em></p>'
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
