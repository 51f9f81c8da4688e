"""What an article was is kept, shown to those who see its drafts, and can be restored."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI

from argosy.articles import repository
from argosy.kit.principal import Role
from tests.articles.support import ARTICLE, joined, written
from tests.support.callers import Caller


async def test_each_change_is_a_revision(owner: Caller) -> None:
    path = f"/articles/{(await written(owner))['id']}"
    await owner.patch(path, json={"title": "Second", "tags": []})
    await owner.patch(path, json={"title": "Second"})
    await owner.post(f"{path}/publish")
    history = (await owner.get(f"{path}/revisions")).json()
    shown = [(one["number"], one["title"], one["tags"], one["published"]) for one in history["items"]]
    first = (1, ARTICLE["title"], ARTICLE["tags"], False)
    assert shown == [(3, "Second", [], True), (2, "Second", [], False), first]
    assert {one["edited_by"] for one in history["items"]} == {owner.user_id}
    assert (await owner.get(f"{path}/revisions/1")).json()["content"] == ARTICLE["content"]
    absent = await owner.get(f"{path}/revisions/9")
    assert (absent.status_code, absent.json()["type"]) == (404, "urn:argosy:problem:revision-not-found")
    by_cursor = (await owner.get(f"{path}/revisions?cursor=&size=2")).json()
    rest = (await owner.get(f"{path}/revisions", params={"cursor": by_cursor["next_cursor"]})).json()
    assert [one["number"] for one in by_cursor["items"] + rest["items"]] == [3, 2, 1]


async def test_an_earlier_text_is_restored_as_a_new_revision(owner: Caller) -> None:
    path = f"/articles/{(await written(owner, published=True))['id']}"
    await owner.patch(path, json={"title": "Second", "content": "Something else entirely.", "tags": ["other"]})
    restored = await owner.post(f"{path}/revisions/1/restore", headers={"If-Match": '"2"'})
    assert restored.status_code == 200, restored.text
    assert ARTICLE.items() <= restored.json().items()
    assert (restored.json()["revision"], restored.json()["published"]) == (3, True)
    assert "<h1>Data</h1>" in restored.json()["html"]
    assert (await owner.post(f"{path}/revisions/2/restore", headers={"If-Match": '"2"'})).status_code == 412
    assert (await owner.post(f"{path}/revisions/7/restore")).status_code == 404


async def test_what_was_published_before_is_not_everybodys(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    path = f"/articles/{(await written(owner, content='The password is hunter2.'))['id']}"
    assert (await stranger.get(f"{path}/revisions")).status_code == 404
    await owner.patch(path, json={"content": "There is no password.", "published": True})
    for below in ("", "/1"):
        assert (await stranger.get(f"{path}/revisions{below}")).status_code == 403
    assert (await stranger.post(f"{path}/revisions/1/restore")).status_code == 403
    await joined(app, owner, stranger, Role.DEVELOPER)
    inside = {"X-Organization": "owner"}
    assert (await stranger.get(f"{path}/revisions/1", headers=inside)).status_code == 200
    assert (await stranger.post(f"{path}/revisions/1/restore", headers=inside)).status_code == 403


async def test_old_revisions_are_forgotten(owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "MAX_REVISIONS", 2)
    path = f"/articles/{(await written(owner))['id']}"
    for title in ("b", "c", "d"):
        await owner.patch(path, json={"title": title})
    assert [one["title"] for one in (await owner.get(f"{path}/revisions")).json()["items"]] == ["d", "c"]


async def test_of_two_editors_with_one_etag_one_is_told(owner: Caller) -> None:
    article = await written(owner)
    path, headers = f"/articles/{article['id']}", {"If-Match": '"1"'}
    answers = await asyncio.gather(*(owner.patch(path, json={"title": f"t{n}"}, headers=headers) for n in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert (await owner.get(path)).json() == won
    assert (await owner.get(f"{path}/revisions")).json()["total"] == 2


async def test_without_an_etag_no_change_is_lost_silently(owner: Caller) -> None:
    path = f"/articles/{(await written(owner))['id']}"
    changes: list[dict[str, Any]] = [
        {"title": "New title"},
        {"content": "New content, long enough."},
        {"tags": ["new"]},
    ]
    answers = await asyncio.gather(*(owner.patch(path, json=change) for change in changes))
    assert {answer.status_code for answer in answers} <= {200, 412}
    article = (await owner.get(path)).json()
    for change, answer in zip(changes, answers, strict=True):
        assert (change.items() <= article.items()) is (answer.status_code == 200)


async def test_articles_of_one_title_are_written_at_once(owner: Caller) -> None:
    answers = await asyncio.gather(*(owner.post("/articles", json=ARTICLE) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["slug"] for answer in answers}) == 6


async def test_every_change_is_an_event_and_in_the_audit_log(owner: Caller) -> None:
    article = await written(owner)
    path = f"/articles/{article['id']}"
    await owner.patch(path, json={"title": "Second"})
    await owner.patch(path, json={"title": "Second"})
    await owner.post(f"{path}/publish")
    await owner.post(f"{path}/publish")
    await owner.post(f"{path}/unpublish")
    await owner.post(f"{path}/revisions/1/restore")
    await owner.delete(path)
    expected = ["created", "updated", "published", "unpublished", "restored", "deleted"]
    seen: list[dict[str, Any]] = []
    for _ in range(200):
        entries = (await owner.get("/organizations/owner/audit?sort=sequence&size=200")).json()["items"]
        seen = [one for one in entries if one["subject"] == article["id"]]
        if len(seen) >= len(expected):
            break
        await asyncio.sleep(0.02)
    assert [one["action"] for one in seen] == [f"article.{name}" for name in expected]
    assert seen[1]["details"] == {"fields": ["title"], "published": False, "revision": 2}
    assert {one["actor_id"] for one in seen} == {owner.user_id}
