"""A model's name is told to those who may see the model; its card is one article, read by whoever sees the model."""

import httpx2
from fastapi import FastAPI

from argosy.kit.principal import Role
from tests.articles.support import ARTICLE, joined, titles, written
from tests.support.callers import Caller

CARD = {"content": "# Intended use\n\nTells irises apart.", "tags": ["card"]}


async def model(caller: Caller, name: str = "iris", visibility: str = "private") -> str:
    made = await caller.post("/models", json={"name": name, "visibility": visibility})
    assert made.status_code == 201, made.text
    return f"/models/{made.json()['full_name']}"


async def test_a_private_models_name_is_told_to_its_organization_only(
    client: httpx2.AsyncClient, owner: Caller, stranger: Caller
) -> None:
    await model(owner)
    article = await written(owner, model="owner/iris", published=True)
    assert article["model"] == "owner/iris"
    path = f"/articles/{article['id']}"
    for answer in (await stranger.get(path), await client.get(f"/api/v1{path}")):
        assert answer.json()["model"] is None
        assert "owner/iris" not in answer.text
    for listed in (await stranger.get("/articles"), await client.get("/api/v1/articles")):
        assert listed.json()["items"][0]["model"] is None
    assert await titles(stranger, model="owner/iris") == []
    assert (await client.get("/api/v1/articles?model=owner/iris")).json()["total"] == 0
    assert await titles(owner, model="owner/iris") == [ARTICLE["title"]]
    assert "iris" not in await titles(stranger, q="owner/iris")
    limited = {"name": "k", "scopes": ["articles:read", "models:read"], "models": ["owner/other"]}
    key = (await owner.post("/organizations/owner/api-keys", json=limited)).json()["key"]
    assert (await owner.get(path, headers={"Authorization": f"Bearer {key}"})).json()["model"] is None

    await owner.patch("/models/owner/iris", json={"visibility": "public"})
    assert (await stranger.get(path)).json()["model"] == "owner/iris"
    assert await titles(stranger, model="owner/iris") == [ARTICLE["title"]]


async def test_a_model_that_cannot_be_seen_cannot_be_bound_and_looks_absent(owner: Caller, stranger: Caller) -> None:
    await model(owner)
    hidden = await stranger.post("/articles", json=ARTICLE | {"model": "owner/iris"})
    absent = await stranger.post("/articles", json=ARTICLE | {"model": "owner/none"})
    assert hidden.status_code == absent.status_code == 422
    assert hidden.json()["errors"] == absent.json()["errors"]


async def test_a_model_is_bound_and_let_go_of(owner: Caller) -> None:
    await model(owner)
    path = f"/articles/{(await written(owner))['id']}"
    assert (await owner.patch(path, json={"model": "owner/iris"})).json()["model"] == "owner/iris"
    assert (await owner.patch(path, json={"title": "Other"})).json()["model"] == "owner/iris"
    assert (await owner.patch(path, json={"model": None})).json()["model"] is None
    await owner.patch(path, json={"model": "owner/iris"})
    assert (await owner.delete("/models/owner/iris")).status_code == 204
    assert (await owner.get(path)).json()["model"] is None


async def test_a_model_has_one_card(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    card = f"{await model(owner)}/card"
    assert (await owner.get(card)).json()["type"] == "urn:argosy:problem:card-not-found"
    made = await owner.put(card, json=CARD)
    assert made.status_code == 200, made.text
    assert made.json()["title"] == made.json()["model"] == "owner/iris"
    assert made.json()["card"] is True
    again = await owner.put(card, json=CARD | {"content": "Something else about irises."}, headers={"If-Match": '"1"'})
    assert (again.json()["id"], again.json()["revision"]) == (made.json()["id"], 2)
    assert (await owner.put(card, json=CARD, headers={"If-Match": '"1"'})).status_code == 412
    assert (await owner.get(card)).json() == again.json()
    assert (await owner.get("/articles")).json()["total"] == 1
    path = f"/articles/{made.json()['id']}"
    assert (await owner.patch(path, json={"model": None})).status_code == 422

    await joined(app, owner, stranger, Role.DEVELOPER)
    inside = {"X-Organization": "owner"}
    assert (await stranger.get(card, headers=inside)).status_code == 200
    refused = await stranger.put(card, json=CARD, headers=inside)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:argosy:problem:authors-only")
    await owner.delete("/models/owner/iris")
    assert (await owner.get(path)).status_code == 404


async def test_a_card_is_read_by_whoever_sees_the_model(
    client: httpx2.AsyncClient, owner: Caller, stranger: Caller
) -> None:
    card = f"{await model(owner)}/card"
    path = f"/articles/{(await owner.put(card, json=CARD)).json()['id']}"
    assert (await stranger.get(card)).json()["type"] == "urn:argosy:problem:model-not-found"
    assert (await stranger.get(path)).status_code == (await client.get(f"/api/v1{path}")).status_code == 404
    assert await titles(stranger, q="irises") == await titles(stranger, tag="card") == []
    await owner.patch("/models/owner/iris", json={"visibility": "public"})
    assert (await stranger.get(card)).json() == (await stranger.get(path)).json()
    assert await titles(stranger, q="irises") == ["owner/iris"]
    assert (await client.get("/api/v1/articles")).json()["items"] == []
    assert (await stranger.put(card, json=CARD)).status_code == 403
    await owner.put(card, json=CARD | {"published": False})
    assert (await stranger.get(card)).json()["type"] == "urn:argosy:problem:card-not-found"
