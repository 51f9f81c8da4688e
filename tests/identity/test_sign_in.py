"""Guessing passwords: slowed, counted, not telling, and never a way to keep the owner out."""

import asyncio
import time
from datetime import timedelta

import httpx2
import pytest
import time_machine
from fastapi import FastAPI
from sqlalchemy import update

from argosy.identity.models import User
from argosy.kit.clock import now
from tests.support.callers import PASSWORD, Caller, register, sign_in

WRONG = "a wrong password, surely"


def from_address(app: FastAPI, address: str) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False, client=(address, 1234))
    return httpx2.AsyncClient(transport=transport, base_url="http://argosy.test")


async def attempt(http: httpx2.AsyncClient, username: str, password: str = WRONG) -> httpx2.Response:
    form = {"grant_type": "password", "username": username, "password": password}
    return await http.post("/api/v1/auth/token", data=form)


async def test_ten_failures_a_minute_then_wait(app: FastAPI, owner: Caller) -> None:
    async with from_address(app, "203.0.113.9") as stranger:
        answers = [await attempt(stranger, "owner") for _ in range(12)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
        assert int(answers[-1].headers["retry-after"]) in range(1, 61)
        assert (await attempt(stranger, "owner", PASSWORD)).status_code == 429, "a right guess is not told either"


async def test_guessing_at_once_is_no_way_round(app: FastAPI, owner: Caller) -> None:
    async with from_address(app, "203.0.113.9") as stranger:
        answers = await asyncio.gather(*(attempt(stranger, "owner") for _ in range(30)))
    assert [answer.status_code for answer in answers].count(401) == 10


async def test_changing_address_is_no_way_round(app: FastAPI, owner: Caller) -> None:
    codes = []
    for last in range(15):
        async with from_address(app, f"203.0.113.{last}") as stranger:
            codes.append((await attempt(stranger, "owner")).status_code)
    assert codes.count(401) == 10


async def test_the_owner_gets_in_while_a_stranger_guesses(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    async with from_address(app, "203.0.113.9") as stranger:
        for _ in range(12):
            await attempt(stranger, "owner")
    assert (await attempt(client, "owner", PASSWORD)).status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_address_may_try_a_hundred_times_a_minute(app: FastAPI, owner: Caller) -> None:
    async with from_address(app, "203.0.113.9") as stranger:
        answers = await asyncio.gather(*(attempt(stranger, f"nobody-{number}") for number in range(110)))
    assert [answer.status_code for answer in answers].count(429) == 10


async def test_after_a_hundred_failures_in_a_row_new_addresses_must_reset(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    async with app.state.database.write() as session:
        await session.execute(update(User).where(User.username == "owner").values(failed_sign_ins=100))
    async with from_address(app, "203.0.113.9") as stranger:
        assert (await attempt(stranger, "owner", PASSWORD)).status_code == 401
    assert (await attempt(client, "owner", PASSWORD)).status_code == 200, "a known address is not locked out"
    async with from_address(app, "203.0.113.10") as elsewhere:
        assert (await attempt(elsewhere, "owner", PASSWORD)).status_code == 200, "a success ends the row"


async def test_a_failure_reads_the_same_for_every_account(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    await register(client, "disabled")
    async with app.state.database.write() as session:
        await session.execute(update(User).where(User.username == "disabled").values(is_active=False))
    told = []
    for username, password in (
        ("owner", WRONG),
        ("nobody", WRONG),
        ("owner@example.org", WRONG),
        ("nobody@example.org", WRONG),
        ("disabled", PASSWORD),
        ("disabled", WRONG),
    ):
        response = await attempt(client, username, password)
        document = {name: value for name, value in response.json().items() if name != "request_id"}
        headers = {name for name in response.headers if not name.startswith(("x-request", "ratelimit"))}
        told.append((response.status_code, document, headers))
    assert all(one == told[0] for one in told)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("known", "unknown"), [("owner", "nobody"), ("owner@example.org", "nobody@example.org")])
async def test_a_failure_takes_as_long_for_every_account(app: FastAPI, owner: Caller, known: str, unknown: str) -> None:
    differences = []
    for _ in range(3):
        fastest = await fastest_failures(app, known, unknown)
        difference = abs(fastest[0] - fastest[1])
        if difference <= max(0.008, 0.2 * max(fastest)):
            return
        differences.append(fastest)
    raise AssertionError(f"the difference is there each time: {differences}")


async def fastest_failures(app: FastAPI, *usernames: str) -> list[float]:
    """The quickest of a dozen failures for each account: what the machine disturbed least, in seconds."""
    taken: dict[str, list[float]] = {username: [] for username in usernames}
    for number in range(12):
        async with from_address(app, f"203.0.113.{number}") as stranger:
            for username in usernames if number % 2 else reversed(usernames):
                await app.state.rates.forgive(10, "account", username, "")
                started = time.perf_counter()
                assert (await attempt(stranger, username)).status_code == 401
                taken[username].append(time.perf_counter() - started)
    return [min(times) for times in taken.values()]


async def test_registering_a_known_address_reads_like_any_other(client: httpx2.AsyncClient, owner: Caller) -> None:
    answers = []
    for username, email in (("first", "owner@example.org"), ("second", "fresh@example.org")):
        account = {"email": email, "username": username, "password": PASSWORD}
        answers.append(await client.post("/api/v1/auth/register", json=account))
    first, second = answers
    assert first.status_code == second.status_code == 201
    assert first.json().keys() == second.json().keys()
    for email in ("owner@example.org", "fresh@example.org"):
        assert (await sign_in(client, email))["access_token"]


async def test_a_password_in_the_wrong_field_is_not_written_down(app: FastAPI, client: httpx2.AsyncClient) -> None:
    await attempt(client, PASSWORD)
    async with app.state.database.read() as session:
        from argosy.events.models import Event  # noqa: PLC0415

        events = (await session.scalars(Event.__table__.select())).all()
    assert PASSWORD not in repr(events)


async def test_basic_is_checked_like_a_sign_in(app: FastAPI, owner: Caller) -> None:
    async with from_address(app, "203.0.113.9") as script:
        assert (await script.get("/api/v1/users/me", auth=("owner", PASSWORD))).json()["username"] == "owner"
        assert (await script.get("/api/v1/users/me", auth=("anything", owner.key))).json()["kind"] == "api_key"
        answers = [await script.get("/api/v1/users/me", auth=("owner", WRONG)) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]


@pytest.mark.parametrize("value", ["", "Basic", "Basic !!!", "Basic b25seQ==", "Bearer", "Digest x", "Basic \xff"])
async def test_unreadable_credentials_are_refused(owner: Caller, value: str) -> None:
    headers: dict[str, str] = {"Authorization": value.encode("latin-1")}  # type: ignore[dict-item]
    assert (await owner.get("/users/me", headers=headers)).status_code == 401


async def test_a_password_that_was_right_is_remembered_until_it_changes(app: FastAPI, owner: Caller) -> None:
    async with from_address(app, "203.0.113.9") as script:
        started = time.perf_counter()
        for _ in range(20):
            assert (await script.get("/api/v1/users/me", auth=("owner", PASSWORD))).status_code == 200
        quick = time.perf_counter() - started
        changed = await owner.post(
            "/auth/password", json={"current_password": PASSWORD, "new_password": "another sentence entirely"}
        )
        assert changed.status_code == 204
        assert (await script.get("/api/v1/users/me", auth=("owner", PASSWORD))).status_code == 401
    assert quick < 20, "hashing each time would be slow, not wrong: this only guards against a hang"


async def test_hashes_follow_the_settings(app: FastAPI, client: httpx2.AsyncClient, owner: Caller) -> None:
    async with app.state.database.write() as session:
        user = await session.get_one(User, owner_id(owner))
        former = user.password_hash
    passwords = app.state.passwords
    from argosy.identity.passwords import Passwords  # noqa: PLC0415
    from argosy.settings import SecuritySettings  # noqa: PLC0415

    app.state.sign_in._passwords = Passwords(SecuritySettings(argon2_iterations=3))
    await sign_in(client, "owner")
    app.state.sign_in._passwords = passwords
    async with app.state.database.read() as session:
        user = await session.get_one(User, owner_id(owner))
        assert user.password_hash != former
        assert "t=3" in user.password_hash


def owner_id(owner: Caller) -> object:
    from uuid import UUID  # noqa: PLC0415

    return UUID(owner.user_id)


async def test_time_passes_and_attempts_are_forgiven(app: FastAPI, owner: Caller) -> None:
    async with from_address(app, "203.0.113.9") as stranger:
        for _ in range(11):
            await attempt(stranger, "owner")
        with time_machine.travel(now() + timedelta(seconds=61), tick=True):
            assert (await attempt(stranger, "owner", PASSWORD)).status_code == 200
