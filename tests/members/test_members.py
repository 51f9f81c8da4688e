"""Members: who is one, as what, how one becomes one, and that there is always an owner."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
import time_machine
from fastapi import FastAPI
from sqlalchemy import update

from argosy.identity.models import User
from argosy.kit.clock import now
from argosy.kit.principal import Role
from argosy.organizations.models import Membership
from argosy.settings import Registration
from tests.support.callers import PASSWORD, Caller, register
from tests.support.mail import coded, codes

IN_FIRM = {"X-Organization": "firm"}


@pytest.fixture
async def firm(owner: Caller) -> str:
    made = await owner.post("/organizations", json={"slug": "firm", "name": "Firm"})
    assert made.status_code == 201
    return str(made.json()["id"])


async def add(app: FastAPI, firm: str, caller: Caller, role: Role) -> None:
    async with app.state.database.write() as session:
        session.add(Membership(organization_id=UUID(firm), user_id=UUID(caller.user_id), role=role))


async def invite(app: FastAPI, owner: Caller, email: str, role: str = "developer") -> str:
    already = len(codes(app, email, "in_"))
    made = await owner.post("/organizations/firm/invitations", json={"email": email, "role": role})
    assert made.status_code == 201, made.text
    assert "code" not in made.text
    return await coded(app, email, "in_", already + 1)


async def set_role(caller: Caller, member: Caller, role: str, org: str = "firm") -> httpx2.Response:
    return await caller.patch(f"/organizations/{org}/members/{member.user_id}", json={"role": role})


async def test_an_invitation_makes_a_member_once_and_only_of_whom_it_was_sent_to(
    app: FastAPI, owner: Caller, stranger: Caller, firm: str
) -> None:
    code = await invite(app, owner, "stranger@example.org")
    assert [item["email"] for item in (await owner.get("/organizations/firm/invitations")).json()["items"]] == [
        "stranger@example.org"
    ]
    assert (await owner.post("/invitations/accept", json={"code": code})).status_code == 422, "it is another's"
    assert (await stranger.get("/organizations/firm")).status_code == 404
    joined = await stranger.post("/invitations/accept", json={"code": code})
    assert joined.status_code == 200, joined.text
    assert (joined.json()["role"], joined.json()["organization"]["slug"]) == ("developer", "firm")
    assert (await stranger.get("/organizations/firm")).status_code == 200
    assert (await stranger.post("/invitations/accept", json={"code": code})).status_code == 422, "it was used"
    assert (await owner.get("/organizations/firm/invitations")).json()["items"] == []
    again = await owner.post("/organizations/firm/invitations", json={"email": "stranger@example.org"})
    assert again.json()["type"] == "urn:argosy:problem:already-member"
    me = await stranger.get("/users/me")
    assert me.json()["email_verified_at"], "the code came from the mailbox"


async def test_an_invitation_that_is_withdrawn_replaced_or_old_is_worth_nothing(
    app: FastAPI, owner: Caller, stranger: Caller, firm: str
) -> None:
    async def accepted(code: str) -> bool:
        return (await stranger.post("/invitations/accept", json={"code": code})).status_code == 200

    first = await invite(app, owner, "stranger@example.org")
    second = await invite(app, owner, "stranger@example.org")
    assert not await accepted(first)
    (pending,) = (await owner.get("/organizations/firm/invitations")).json()["items"]
    path = f"/organizations/firm/invitations/{pending['id']}"
    assert (await owner.delete(path)).status_code == 204
    assert not await accepted(second)
    assert (await owner.delete(path)).status_code == 404
    third = await invite(app, owner, "stranger@example.org")
    with time_machine.travel(now() + timedelta(days=8), tick=False):
        fresh = await register_again(stranger)
        answer = await stranger.post("/invitations/accept", json={"code": third}, headers=fresh)
        assert answer.status_code == 422
    assert await accepted(third)


async def register_again(caller: Caller) -> dict[str, str]:
    form = {"grant_type": "password", "username": caller.username, "password": PASSWORD}
    token = (await caller.http.post("/api/v1/auth/token", data=form)).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


async def test_an_invitation_opens_a_closed_registration(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, firm: str
) -> None:
    app.state.settings = app.state.settings.model_copy(update={"registration": Registration.CLOSED})
    code = await invite(app, owner, "guest@example.org", "viewer")
    account = {"email": "guest@example.org", "username": "guest", "password": PASSWORD}

    async def attempt(**changes: Any) -> httpx2.Response:
        return await client.post("/api/v1/auth/register", json={**account, **changes})

    assert (await attempt()).status_code == 403
    assert (await attempt(invitation="in_" + "x" * 38)).status_code == 422
    assert (await attempt(invitation=code, email="other@example.org")).status_code == 422
    made = await attempt(invitation=code)
    assert made.status_code == 201, made.text
    assert made.json()["email_verified_at"]
    members = (await owner.get("/organizations/firm/members")).json()["items"]
    assert {(member["username"], member["role"]) for member in members} == {("owner", "owner"), ("guest", "viewer")}
    assert (await attempt(invitation=code, username="second")).status_code == 422


async def test_a_role_counts_from_the_next_request(app: FastAPI, owner: Caller, stranger: Caller, firm: str) -> None:
    await add(app, firm, stranger, Role.VIEWER)

    async def makes(name: str) -> int:
        return (await stranger.post("/models", json={"name": name}, headers=IN_FIRM)).status_code

    assert await makes("a") == 403
    assert (await set_role(owner, stranger, "developer")).json()["role"] == "developer"
    assert await makes("a") == 201
    await set_role(owner, stranger, "viewer")
    assert await makes("b") == 403
    assert (await owner.delete(f"/organizations/firm/members/{stranger.user_id}")).status_code == 204
    assert await makes("c") == 404
    assert (await stranger.get("/users/me")).status_code == 200, "elsewhere nothing changed"


async def test_only_owners_make_change_and_remove_owners(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, stranger: Caller, firm: str
) -> None:
    third = await register(client, "third")
    await add(app, firm, stranger, Role.ADMIN)
    await add(app, firm, third, Role.DEVELOPER)
    for refused in (
        await set_role(stranger, third, "owner"),
        await set_role(stranger, stranger, "owner"),
        await set_role(stranger, owner, "viewer"),
        await stranger.delete(f"/organizations/firm/members/{owner.user_id}"),
        await stranger.post("/organizations/firm/invitations", json={"email": "x@example.org", "role": "owner"}),
    ):
        assert refused.json()["type"] == "urn:argosy:problem:owners-only", refused.text
    assert (await set_role(stranger, third, "admin")).status_code == 200
    assert (await set_role(third, stranger, "viewer")).status_code == 200
    assert (await set_role(owner, third, "owner")).status_code == 200
    assert (await set_role(third, owner, "admin")).status_code == 200, "an owner among two"


async def test_there_is_always_an_owner(app: FastAPI, owner: Caller, stranger: Caller, firm: str) -> None:
    await add(app, firm, stranger, Role.ADMIN)
    for refused in (
        await set_role(owner, owner, "admin"),
        await owner.post("/organizations/firm/leave"),
        await owner.delete(f"/organizations/firm/members/{owner.user_id}"),
    ):
        assert refused.json()["type"] == "urn:argosy:problem:last-owner", refused.text
    await set_role(owner, stranger, "owner")
    answers = await asyncio.gather(owner.post("/organizations/firm/leave"), stranger.post("/organizations/firm/leave"))
    assert sorted(answer.status_code for answer in answers) == [204, 409], "of two who leave at once one stays"


async def test_an_organization_is_handed_over(app: FastAPI, owner: Caller, stranger: Caller, firm: str) -> None:
    path, heir = "/organizations/firm/transfer", {"user_id": stranger.user_id}
    assert (await owner.post(path, json=heir)).status_code == 404, "not a member"
    await add(app, firm, stranger, Role.VIEWER)
    assert (await stranger.post(path, json=heir)).status_code == 403
    assert (await owner.post(path, json=heir)).json()["role"] == "owner"
    members = (await owner.get("/organizations/firm/members")).json()["items"]
    assert {member["username"]: member["role"] for member in members} == {"owner": "admin", "stranger": "owner"}
    assert (await owner.post(path, json={"user_id": owner.user_id})).status_code == 403
    assert (await stranger.delete("/organizations/firm")).status_code == 204
    assert (await owner.get("/organizations/firm")).status_code == 404


async def test_a_personal_organization_stays_with_its_person(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    await add(app, owner.organization_id, stranger, Role.ADMIN)
    for refused in (
        await owner.delete("/organizations/owner"),
        await owner.post("/organizations/owner/transfer", json={"user_id": stranger.user_id}),
        await set_role(owner, stranger, "owner", "owner"),
        await owner.post("/organizations/owner/invitations", json={"email": "x@example.org", "role": "owner"}),
    ):
        assert refused.json()["type"] == "urn:argosy:problem:personal-organization", refused.text
    assert (await owner.post("/organizations/owner/leave")).status_code == 409
    assert (await stranger.get("/users/me")).json()["organization"]["slug"] == "stranger"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_addresses_of_members_are_for_those_who_manage_them(
    app: FastAPI, owner: Caller, stranger: Caller, firm: str
) -> None:
    for role, sees in ((Role.VIEWER, False), (Role.DEVELOPER, False), (Role.ADMIN, True)):
        if role is Role.VIEWER:
            await add(app, firm, stranger, role)
        else:
            await set_role(owner, stranger, role)
        listed = await stranger.get("/organizations/firm/members")
        assert ("owner@example.org" in listed.text) is sees, role
    members = (await owner.get("/organizations/firm/members")).json()["items"]
    assert {member["email"] for member in members} == {"owner@example.org", "stranger@example.org"}


async def test_one_acts_in_one_organization_at_a_time(app: FastAPI, owner: Caller, stranger: Caller, firm: str) -> None:
    await add(app, firm, stranger, Role.DEVELOPER)
    await stranger.post("/models", json={"name": "theirs"}, headers=IN_FIRM)
    await stranger.post("/models", json={"name": "mine"})
    here, there = await stranger.get("/models"), await stranger.get("/models", headers=IN_FIRM)
    assert [model["full_name"] for model in here.json()["items"]] == ["stranger/mine"]
    assert [model["full_name"] for model in there.json()["items"]] == ["firm/theirs"]
    assert (await stranger.get("/models/firm/theirs")).status_code == 200, "where the path leads"
    assert (await stranger.get("/models/firm/theirs", headers={"X-Organization": "stranger"})).status_code == 404
    slugs = {item["slug"] for item in (await stranger.get("/organizations")).json()["items"]}
    assert slugs == {"stranger", "firm"}
    key = {"Authorization": f"Bearer {stranger.key}"}
    assert (await stranger.get("/models/firm/theirs", headers=key)).status_code == 404, "a key has one organization"
    assert (await stranger.get("/models", headers={**key, **IN_FIRM})).status_code == 404


async def test_a_key_never_does_more_than_its_maker_may_now(
    app: FastAPI, owner: Caller, stranger: Caller, firm: str
) -> None:
    await add(app, firm, stranger, Role.ADMIN)
    body = {"name": "k", "scopes": ["models:read", "models:write", "keys:read"]}
    key = (await stranger.post("/organizations/firm/api-keys", json=body)).json()["key"]
    headers = {"Authorization": f"Bearer {key}"}

    async def statuses() -> tuple[int, int, int]:
        made = await owner.post("/models", json={"name": f"m{now().timestamp():.6f}"}, headers=headers)
        read = await owner.get("/models", headers=headers)
        keys = await owner.get("/organizations/firm/api-keys", headers=headers)
        return made.status_code, read.status_code, keys.status_code

    assert await statuses() == (201, 200, 200)
    await set_role(owner, stranger, "developer")
    assert await statuses() == (201, 200, 403)
    await set_role(owner, stranger, "viewer")
    assert await statuses() == (403, 200, 403)
    await owner.delete(f"/organizations/firm/members/{stranger.user_id}")
    assert await statuses() == (401, 401, 401)


async def test_a_disabled_person_and_their_keys_are_refused(app: FastAPI, owner: Caller) -> None:
    async with app.state.database.write() as session:
        await session.execute(update(User).where(User.username == "owner").values(is_active=False))
    for credential in (owner.token, owner.key):
        assert (await owner.get("/users/me", headers={"Authorization": f"Bearer {credential}"})).status_code == 401
