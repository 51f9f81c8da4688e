"""Platform administrators: what they alone may do with accounts, and that it is recorded."""

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from argosy.identity.models import User
from tests.support.callers import PASSWORD, Caller
from tests.support.mail import idle


@pytest.fixture
async def admin(app: FastAPI, owner: Caller) -> Caller:
    async with app.state.database.write() as session:
        await session.execute(update(User).where(User.username == "owner").values(is_admin=True))
    return owner


async def test_accounts_are_for_administrators_in_person(admin: Caller, stranger: Caller) -> None:
    for method, path, body in (
        ("GET", "/users", None),
        ("GET", f"/users/{admin.user_id}", None),
        ("PATCH", f"/users/{admin.user_id}", {"is_admin": False}),
        ("DELETE", f"/users/{admin.user_id}", None),
    ):
        options = {"json": body} if body else {}
        assert (await stranger.request(method, path, **options)).status_code == 403, (method, path)
        key = {"Authorization": f"Bearer {admin.key}"}
        assert (await admin.request(method, path, headers=key, **options)).status_code == 403, (method, path)
    found = (await admin.get("/users", params={"q": "STRANGER@"})).json()
    assert [account["username"] for account in found["items"]] == ["stranger"]
    assert "hash" not in str(found)
    assert (await admin.get("/users", params={"active": "false"})).json()["total"] == 0


async def test_disabling_an_account_ends_all_it_has_at_once(
    app: FastAPI, client: httpx2.AsyncClient, admin: Caller, stranger: Caller
) -> None:
    path = f"/users/{stranger.user_id}"
    seen = await admin.get(path)
    stale = {"If-Match": '"99"'}
    assert (await admin.patch(path, json={"is_active": False}, headers=stale)).status_code == 412
    current = {"If-Match": seen.headers["etag"]}
    assert (await admin.patch(path, json={"is_active": False}, headers=current)).json()["is_active"] is False
    for credential in (stranger.token, stranger.key):
        assert (await stranger.get("/users/me", headers={"Authorization": f"Bearer {credential}"})).status_code == 401
    basic = httpx2.BasicAuth("stranger", PASSWORD)
    assert (await client.get("/api/v1/users/me", auth=basic)).status_code == 401
    refresh = {"grant_type": "refresh_token", "refresh_token": stranger.refresh_token}
    assert (await client.post("/api/v1/auth/token", data=refresh)).status_code == 401
    await admin.patch(path, json={"is_active": True})
    assert (await client.get("/api/v1/users/me", auth=basic)).status_code == 200
    assert (await stranger.get("/users/me")).status_code == 401, "what has ended stays ended"


async def test_an_administrator_is_made_and_unmade_and_one_stays(admin: Caller, stranger: Caller) -> None:
    mine, theirs = f"/users/{admin.user_id}", f"/users/{stranger.user_id}"
    for refused in (
        await admin.patch(mine, json={"is_admin": False}),
        await admin.patch(mine, json={"is_active": False}),
        await admin.delete(mine),
    ):
        assert refused.json()["type"] == "urn:argosy:problem:last-owner", refused.text
    await admin.patch(theirs, json={"is_admin": True})
    assert (await stranger.get("/users")).status_code == 200
    assert (await stranger.patch(mine, json={"is_admin": False})).status_code == 200
    assert (await admin.get("/users")).status_code == 403, "from the next request"


async def test_an_account_is_deleted_with_its_own_organization_only(admin: Caller, stranger: Caller) -> None:
    await stranger.post("/models", json={"name": "theirs", "visibility": "public"})
    await stranger.post("/organizations", json={"slug": "firm", "name": "Firm"})
    path = f"/users/{stranger.user_id}"
    refused = await admin.delete(path)
    assert (refused.status_code, "firm" in refused.json()["detail"]) == (409, True)
    await stranger.delete("/organizations/firm")
    assert (await admin.get("/models/stranger/theirs")).status_code == 200
    assert (await admin.delete(path)).status_code == 204
    assert (await admin.get("/models/stranger/theirs")).status_code == 404
    assert (await stranger.get("/users/me")).status_code == 401
    assert (await admin.get(path)).status_code == 404


async def test_what_administrators_look_at_and_change_is_recorded(
    app: FastAPI, admin: Caller, stranger: Caller
) -> None:
    await admin.get("/users")
    await admin.get(f"/users/{stranger.user_id}")
    await admin.patch(f"/users/{stranger.user_id}", json={"is_active": False})
    await admin.delete(f"/users/{stranger.user_id}")
    await idle(app)
    entries = (await admin.get("/audit", params={"size": 200})).json()["items"]
    recorded = {entry["action"]: entry for entry in entries}
    assert {"admin.users_listed", "admin.user_read", "admin.user_updated", "admin.user_deleted"} <= set(recorded)
    changed = recorded["admin.user_updated"]
    assert (changed["actor_id"], changed["subject"]) == (admin.user_id, "stranger")
    assert changed["details"]["is_active"] is False
