"""Organizations, their members and API keys."""

from datetime import UTC, datetime, timedelta

import httpx2
import time_machine

from tests.support.callers import Caller


async def test_a_user_belongs_to_several_and_acts_in_one(owner: Caller, stranger: Caller) -> None:
    made = await owner.post("/organizations", json={"slug": "acme", "name": "Acme"})
    assert made.status_code == 201
    assert [one["slug"] for one in (await owner.get("/organizations")).json()["items"]] == ["acme", "owner"]
    assert (await owner.post("/models", json={"name": "m"}, headers={"X-Organization": "acme"})).json()[
        "full_name"
    ] == "acme/m"
    assert (await owner.get("/models/acme/m")).status_code == 200
    assert (await owner.get("/models")).json()["items"] == []
    by_key = (await owner.get("/organizations", headers={"Authorization": f"Bearer {owner.key}"})).json()
    assert [one["slug"] for one in by_key["items"]] == ["owner"]
    assert (await stranger.post("/organizations", json={"slug": "acme", "name": "Copy"})).status_code == 409
    members = (await owner.get("/organizations/acme/members")).json()
    assert [(one["user_id"], one["role"]) for one in members["items"]] == [(owner.user_id, "owner")]
    renamed = await owner.patch("/organizations/acme", json={"name": "Acme Inc"}, headers={"If-Match": '"1"'})
    assert renamed.json()["name"] == "Acme Inc"
    assert (
        await owner.patch("/organizations/acme", json={"name": "X"}, headers={"If-Match": '"1"'})
    ).status_code == 412
    assert (await owner.get("/organizations/acme")).headers["etag"] == '"2"'


async def test_a_key_is_shown_once_and_dies_at_once(owner: Caller, client: httpx2.AsyncClient) -> None:
    made = (await owner.post("/organizations/owner/api-keys", json={"name": "ci", "scopes": ["models:read"]})).json()
    assert made["key"].startswith("ak_")
    assert made["key"].startswith(made["prefix"])
    listed = (await owner.get("/organizations/owner/api-keys")).json()["items"]
    assert all("key" not in one for one in listed)

    async def status(**headers: str) -> int:
        return (await client.get("/api/v1/models", headers=headers)).status_code

    assert await status(Authorization=f"Bearer {made['key']}") == 200
    assert await status(**{"X-API-Key": made["key"]}) == 200
    assert await status(Authorization=f"Bearer {made['key'][:-1]}x") == 401
    assert await status(**{"X-API-Key": made["key"], "X-Organization": "stranger"}) == 404
    assert (await owner.delete(f"/organizations/owner/api-keys/{made['id']}")).status_code == 204
    assert await status(Authorization=f"Bearer {made['key']}") == 401


async def test_a_key_holds_no_more_than_its_maker_and_ends_in_time(owner: Caller, client: httpx2.AsyncClient) -> None:
    by_key = {"Authorization": f"Bearer {owner.key}"}
    assert (
        await owner.post("/organizations/owner/api-keys", json={"name": "x", "scopes": ["predict"]}, headers=by_key)
    ).status_code == 403
    narrow = {"name": "narrow", "scopes": ["keys:write", "predict"]}
    key = (await owner.post("/organizations/owner/api-keys", json=narrow)).json()["key"]
    wide = {"name": "wide", "scopes": ["models:write"]}
    refused = await owner.post("/organizations/owner/api-keys", json=wide, headers={"Authorization": f"Bearer {key}"})
    assert refused.json()["type"] == "urn:argosy:problem:scope-not-held"

    soon = datetime.now(UTC) + timedelta(hours=1)
    ending = {"name": "ending", "scopes": ["models:read"], "expires_at": soon.isoformat()}
    key = (await owner.post("/organizations/owner/api-keys", json=ending)).json()["key"]
    assert (await client.get("/api/v1/models", headers={"X-API-Key": key})).status_code == 200
    with time_machine.travel(soon + timedelta(seconds=1), tick=True):
        assert (await client.get("/api/v1/models", headers={"X-API-Key": key})).status_code == 401
    past = {**ending, "expires_at": "2020-01-01T00:00:00Z"}
    assert (await owner.post("/organizations/owner/api-keys", json=past)).status_code == 422


async def test_an_access_token_ends_after_fifteen_minutes(owner: Caller) -> None:
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=15, seconds=1), tick=True):
        assert (await owner.get("/users/me")).status_code == 401


async def test_a_creating_call_is_replayed_by_its_key(owner: Caller, stranger: Caller) -> None:
    import asyncio  # noqa: PLC0415

    headers = {"Idempotency-Key": "make-acme"}
    body = {"slug": "acme", "name": "Acme"}
    answers = await asyncio.gather(*(owner.post("/organizations", json=body, headers=headers) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    other = await owner.post("/organizations", json={**body, "name": "Other"}, headers=headers)
    assert other.status_code == 422
    assert other.json()["type"] == "urn:argosy:problem:idempotency-key-reused"
    theirs = await stranger.post("/organizations", json={"slug": "other", "name": "Other"}, headers=headers)
    assert theirs.status_code == 201
    assert (await owner.post("/organizations", json=body, headers={"Idempotency-Key": "x" * 256})).status_code == 422
