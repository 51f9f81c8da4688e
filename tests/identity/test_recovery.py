"""Mailboxes: proving one, changing it, and getting back in through it."""

from datetime import timedelta

import httpx2
import pytest
import time_machine
from fastapi import FastAPI
from sqlalchemy import text

from argosy.kit.clock import now
from tests.support.callers import PASSWORD, Caller, register, sign_in
from tests.support.mail import code_in, idle, mailbox, mailed

NEW = "an entirely new sentence"


async def verify(client: httpx2.AsyncClient, code: str) -> httpx2.Response:
    return await client.post("/api/v1/auth/email/verify", json={"code": code})


async def ask_reset(client: httpx2.AsyncClient, email: str) -> httpx2.Response:
    return await client.post("/api/v1/auth/password/reset", json={"email": email})


async def reset(client: httpx2.AsyncClient, code: str, password: str = NEW) -> httpx2.Response:
    return await client.post("/api/v1/auth/password/reset", json={"code": code, "password": password})


async def test_an_address_is_verified_by_the_code_that_was_sent_to_it(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    code = code_in(await mailed(app, "owner@example.org"))
    assert (await owner.get("/users/me")).json()["email_verified_at"] is None
    assert (await verify(client, code[:-1] + "x")).status_code == 422
    assert (await verify(client, code)).status_code == 204
    assert (await owner.get("/users/me")).json()["email_verified_at"]
    again = await verify(client, code)
    assert (again.status_code, again.json()["type"]) == (422, "urn:argosy:problem:invalid-code"), "it was used"


async def test_a_code_is_good_for_ten_minutes_and_kept_as_a_hash(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    code = code_in(await mailed(app, "owner@example.org"))
    async with app.state.database.read() as session:
        stored = [
            str(row)
            for table in ("account_codes", "events", "audit_entries", "sessions")
            for row in (await session.execute(text(f"SELECT * FROM {table}"))).all()
        ]
    assert len(stored) > 2
    assert not any(code in row or code[3:20] in row for row in stored)
    with time_machine.travel(now() + timedelta(minutes=10, seconds=1), tick=False):
        assert (await verify(client, code)).status_code == 422
    assert (await verify(client, code)).status_code == 204


async def test_a_claimed_address_belongs_to_whoever_proves_it(app: FastAPI, client: httpx2.AsyncClient) -> None:
    account = {"email": "shared@example.org", "password": PASSWORD}
    for username in ("squatter", "rightful"):
        made = await client.post("/api/v1/auth/register", json={**account, "username": username})
        assert made.status_code == 201
    first = code_in(await mailed(app, "shared@example.org", 1))
    second = code_in(await mailed(app, "shared@example.org", 2))
    assert (await verify(client, second)).status_code == 204
    assert (await verify(client, first)).status_code == 422, "it belongs to somebody"
    token = (await sign_in(client, "shared@example.org"))["access_token"]
    me = await client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
    assert me.json()["username"] == "rightful"
    await client.post("/api/v1/auth/register", json={**account, "username": "third"})
    told = await mailed(app, "shared@example.org", 3)
    assert "already have an account" in str(told["Subject"])
    assert "rightful" in told.get_content()


async def test_changing_the_address_takes_the_password_and_the_new_mailbox(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    other = await sign_in(client, "owner")
    wanted = {"email": "new@example.org", "password": PASSWORD}
    assert (await owner.post("/auth/email", json={**wanted, "password": "not the right one"})).status_code == 401
    key = {"Authorization": f"Bearer {owner.key}"}
    assert (await owner.post("/auth/email", json=wanted, headers=key)).status_code == 403
    assert (await owner.post("/auth/email", json=wanted)).status_code == 202
    assert (await owner.get("/users/me")).json()["email"] == "owner@example.org", "until the code comes back"
    code = code_in(await mailed(app, "new@example.org"))
    assert (await verify(client, code)).status_code == 204
    me = (await owner.get("/users/me")).json()
    assert me["email"] == "new@example.org", "the sign-in that asked goes on"
    ended = await client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {other['access_token']}"})
    assert ended.status_code == 401
    await idle(app)
    subjects = [str(message["Subject"]) for message in mailbox(app, "owner@example.org")]
    assert {"Your e-mail address is about to change", "Your e-mail address was changed"} <= set(subjects)


async def test_a_forgotten_password_is_chosen_anew_through_the_mailbox(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    await mailed(app, "owner@example.org")
    assert (await ask_reset(client, "Owner@Example.org")).status_code == 202
    code = code_in(await mailed(app, "owner@example.org", 2))
    assert (await reset(client, code, "short")).status_code == 422
    assert (await reset(client, code, "owner owner owner")).status_code == 422
    assert (await owner.get("/users/me")).status_code == 200
    assert (await reset(client, code)).status_code == 202
    assert (await owner.get("/users/me")).status_code == 401, "every sign-in has ended"
    assert (await reset(client, code)).status_code == 422, "it was used"
    form = {"grant_type": "password", "username": "owner", "password": PASSWORD}
    assert (await client.post("/api/v1/auth/token", data=form)).status_code == 401
    token = (await sign_in(client, "owner", NEW))["access_token"]
    me = await client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
    assert me.json()["email_verified_at"], "the code came from the mailbox"
    await mailed(app, "owner@example.org", 3)
    assert str(mailbox(app, "owner@example.org")[-1]["Subject"]) == "Your password was changed"


async def test_asking_for_a_reset_tells_nothing(app: FastAPI, client: httpx2.AsyncClient, owner: Caller) -> None:
    known, unknown = await ask_reset(client, "owner@example.org"), await ask_reset(client, "nobody@example.org")
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    await idle(app)
    assert mailbox(app, "nobody@example.org") == []


async def test_a_newer_code_makes_the_older_worthless(app: FastAPI, client: httpx2.AsyncClient, owner: Caller) -> None:
    await mailed(app, "owner@example.org")
    codes = []
    for number in (2, 3):
        await ask_reset(client, "owner@example.org")
        codes.append(code_in(await mailed(app, "owner@example.org", number)))
    assert (await reset(client, codes[0])).status_code == 422
    assert (await verify(client, codes[1])).status_code == 422, "a code is for one thing"
    assert (await reset(client, codes[1])).status_code == 202


async def test_a_new_password_ends_the_other_sign_ins(client: httpx2.AsyncClient, owner: Caller) -> None:
    other = await sign_in(client, "owner")
    wrong = {"current_password": "not the right one", "new_password": NEW}
    assert (await owner.post("/auth/password", json=wrong)).status_code == 401
    assert (await owner.post("/auth/password", json={**wrong, "current_password": PASSWORD})).status_code == 204
    assert (await owner.get("/users/me")).status_code == 200
    for form in (
        {"grant_type": "refresh_token", "refresh_token": other["refresh_token"]},
        {"grant_type": "password", "username": "owner", "password": PASSWORD},
    ):
        assert (await client.post("/api/v1/auth/token", data=form)).status_code == 401
    kept = {"grant_type": "refresh_token", "refresh_token": owner.refresh_token}
    assert (await client.post("/api/v1/auth/token", data=kept)).status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_which_passwords_will_do(app: FastAPI, client: httpx2.AsyncClient) -> None:
    refused = {
        "password_too_short": ["x" * 14, "fourteen chars", "\ufb01" * 7],
        "password_common": [
            "password password", "passwordpassword", "aaaaaaaaaaaaaaaa", "1234567890123456", "qwertyuiopasdfgh",
            "iloveyouiloveyou", "Passw0rd!Passw0rd!", "candidate candidate", "candidate@example.org",
            "argosyargosyargosy", "abcdefghijklmnopqrstuvwxyz", "letmeinletmein123",
        ],
    }  # fmt: skip
    account = {"email": "candidate@example.org", "username": "candidate"}
    for reason, passwords in refused.items():
        for password in passwords:
            response = await client.post("/api/v1/auth/register", json={**account, "password": password})
            assert response.status_code == 422, password
            assert response.json()["errors"][0]["type"] == reason, password
            assert password not in response.text
    accepted = [
        "correct horse battery staple",
        "ñandú über 東京 żółw",
        "only-lower-case-words",
        "📎" * 5 + " und mehr 7",
    ]
    for number, password in enumerate([*accepted, ("many words of 128 characters " * 5)[:128]]):
        account = {"email": f"a{number}@example.org", "username": f"a{number}", "password": password}
        assert (await client.post("/api/v1/auth/register", json=account)).status_code == 201, password
        await sign_in(client, f"a{number}", password)
    composed, decomposed = "\u00c5ngstr\u00f6m is a unit of length", "A\u030angstro\u0308m is a unit of length"
    account = {"email": "nfc@example.org", "username": "nfc", "password": composed}
    assert (await client.post("/api/v1/auth/register", json=account)).status_code == 201
    assert composed != decomposed
    await sign_in(client, "nfc", decomposed)


async def test_the_hash_is_argon2id_with_the_parameters_of_the_settings(
    app: FastAPI, client: httpx2.AsyncClient
) -> None:
    await register(client, "someone")
    async with app.state.database.read() as session:
        (stored,) = await session.scalars(text("SELECT password_hash FROM users"))
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
