"""Accounts: registering, signing in, and what a caller may know and change of them."""

import httpx2
import pytest
from dirty_equals import IsStr, IsUUID
from fastapi import FastAPI

from argosy.kit.db.session import Database
from argosy.settings import Registration, Settings
from tests.support.callers import PASSWORD, Caller, sign_in


async def test_registering_makes_a_user_with_a_personal_organization(client: httpx2.AsyncClient) -> None:
    account = {"email": "Ada@Example.org", "username": "ada", "password": PASSWORD, "full_name": "Ada L."}
    response = await client.post("/api/v1/auth/register", json=account)
    assert response.status_code == 201
    assert response.json() == {
        "id": IsUUID(),
        "email": "ada@example.org",
        "username": "ada",
        "full_name": "Ada L.",
        "is_admin": False,
        "email_verified_at": None,
        "revision": 1,
        "organization": {"id": IsUUID(), "slug": "ada"},
        "created_at": IsStr(regex=r".*Z"),
        "updated_at": IsStr(regex=r".*Z"),
    }


async def test_a_name_in_use_is_a_conflict(client: httpx2.AsyncClient, owner: Caller) -> None:
    account = {"email": "other@example.org", "username": "owner", "password": PASSWORD}
    response = await client.post("/api/v1/auth/register", json=account)
    assert response.status_code == 409
    assert response.json()["type"] == "urn:argosy:problem:account-exists"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("password", "too short"),
        ("password", "x" * 129),
        ("email", "nobody"),
        ("username", "Not A Name!"),
        ("username", "a\x00b"),
        ("full_name", ""),
        ("is_admin", True),
        ("organization_id", "x"),
    ],
)
async def test_a_bad_field_is_named_and_its_value_not_echoed(
    client: httpx2.AsyncClient, field: str, value: object
) -> None:
    account = {"email": "ada@example.org", "username": "ada", "password": PASSWORD, field: value}
    response = await client.post("/api/v1/auth/register", json=account)
    assert response.status_code == 422
    problem = response.json()
    assert problem["errors"][0]["loc"] == ["body", field]
    assert PASSWORD not in response.text
    assert "too short" not in response.text
    assert response.headers["content-type"] == "application/problem+json"


async def test_closed_registration_refuses(app: FastAPI, client: httpx2.AsyncClient, settings: Settings) -> None:
    app.state.settings = settings.model_copy(update={"registration": Registration.CLOSED})
    account = {"email": "ada@example.org", "username": "ada", "password": PASSWORD}
    response = await client.post("/api/v1/auth/register", json=account)
    assert response.status_code == 403
    assert response.json()["type"] == "urn:argosy:problem:registration-closed"


async def test_a_token_answers_who_it_is(client: httpx2.AsyncClient, owner: Caller) -> None:
    by_email = await sign_in(client, "OWNER@example.org")
    assert by_email["token_type"] == "bearer"
    assert by_email["expires_in"] == 900
    me = await owner.get("/users/me", headers={"Authorization": f"Bearer {by_email['access_token']}"})
    assert me.json()["username"] == "owner"


@pytest.mark.parametrize(("username", "password"), [("owner", "wrong password here"), ("nobody", PASSWORD)])
async def test_wrong_credentials_are_told_alike(
    client: httpx2.AsyncClient, owner: Caller, username: str, password: str
) -> None:
    form = {"grant_type": "password", "username": username, "password": password}
    response = await client.post("/api/v1/auth/token", data=form)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["detail"] == "wrong username or password"


async def test_the_token_endpoint_names_what_is_missing(client: httpx2.AsyncClient) -> None:
    response = await client.post("/api/v1/auth/token", data={"grant_type": "password", "username": "ada"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", "password"]
    response = await client.post("/api/v1/auth/token", data={"grant_type": "implicit"})
    assert response.status_code == 400
    assert response.json()["error"] == "unsupported_grant_type"


async def test_a_refresh_token_works_once_and_its_reuse_ends_the_sign_in(
    client: httpx2.AsyncClient, owner: Caller
) -> None:
    async def refresh(token: str) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token}
        return await client.post("/api/v1/auth/token", data=form)

    first = await refresh(owner.refresh_token)
    assert first.status_code == 200
    renewed = first.json()
    assert (await refresh(owner.refresh_token)).status_code == 401
    assert (await refresh(renewed["refresh_token"])).status_code == 401
    me = await owner.get("/users/me", headers={"Authorization": f"Bearer {renewed['access_token']}"})
    assert me.status_code == 401


@pytest.mark.parametrize("token", ["rt_", "rt_zzz", "nonsense", "rt_" + "0" * 32 + "secret"])
async def test_a_refresh_token_from_nowhere_is_refused(client: httpx2.AsyncClient, token: str) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    assert (await client.post("/api/v1/auth/token", data=form)).status_code == 401


async def test_an_account_is_changed_only_as_it_was_read(owner: Caller) -> None:
    seen = await owner.get("/users/me")
    changed = await owner.patch(
        "/users/me", json={"full_name": "The Owner"}, headers={"If-Match": seen.headers["etag"]}
    )
    assert changed.status_code == 200
    assert changed.json()["full_name"] == "The Owner"
    again = await owner.patch("/users/me", json={"full_name": "Late"}, headers={"If-Match": seen.headers["etag"]})
    assert again.status_code == 412


async def test_an_api_key_cannot_change_an_account(owner: Caller) -> None:
    response = await owner.patch("/users/me", json={"full_name": "X"}, headers={"Authorization": f"Bearer {owner.key}"})
    assert response.status_code == 403


async def test_nothing_secret_is_stored_in_the_clear(
    client: httpx2.AsyncClient,
    owner: Caller,
    app: FastAPI,
) -> None:
    database: Database = app.state.database
    headers = {"Idempotency-Key": "k1"}
    body = {"name": "kept", "scopes": ["predict"]}
    made = await owner.post("/organizations/owner/api-keys", json=body, headers=headers)
    secrets = [PASSWORD, owner.key, owner.token, owner.refresh_token, made.json()["key"]]
    async with database.connection() as connection:
        for table in ("users", "sessions", "api_keys", "idempotency_keys", "events"):
            rows = (await connection.exec_driver_sql(f"SELECT * FROM {table}")).all()
            assert rows, table
            stored = " ".join(
                str(bytes(cell) if isinstance(cell, memoryview) else cell) for row in rows for cell in row
            )
            assert not [secret for secret in secrets if secret in stored], table
