"""Limits on how often: exact under concurrency, over processes that share Redis, and told in the answer."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from argosy.app import create_app
from argosy.engines.rates import SharedRateLimiter
from argosy.settings import CacheSettings, RatesSettings, Settings
from tests.support.callers import Caller, register
from tests.support.redis import RedisServer, redis_server

SEPARATE = """
import asyncio, json, sys
from argosy.engines.rates import SharedRateLimiter

async def main():
    rates = SharedRateLimiter(sys.argv[1])
    hits = await asyncio.gather(*(getattr(rates, sys.argv[2])(40, "both") for _ in range(60)))
    print(json.dumps(sum(hit.admitted for hit in hits)))

asyncio.run(main())
"""
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.mark.parametrize("kind", ["hit", "attempt"])
@pytest.mark.parametrize("engine", ["memory", "redis"])
async def test_of_three_times_the_limit_at_once_the_limit_is_admitted(
    request: pytest.FixtureRequest, engine: str, kind: str
) -> None:
    url = "memory://" if engine == "memory" else request.getfixturevalue("redis").url
    rates = SharedRateLimiter(url)
    standings = await asyncio.gather(*(getattr(rates, kind)(50, engine, kind) for _ in range(150)))
    assert [one.admitted for one in standings].count(True) == 50
    assert all(one.headers["Retry-After"].isdecimal() for one in standings if not one.admitted)
    assert (await getattr(rates, kind)(50, engine, kind, "somebody else")).admitted


@pytest.mark.parametrize("kind", ["hit", "attempt"])
def test_two_processes_share_one_limit(redis: RedisServer, kind: str) -> None:
    command = [sys.executable, "-c", SEPARATE, redis.url, kind]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    assert sum(json.loads(one.communicate(timeout=60)[0]) for one in running) == 40


async def test_while_redis_is_away_each_process_counts_for_itself(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        rates = SharedRateLimiter(server.url)
        assert (await rates.hit(5, "x")).admitted
        server.stop()
        standings = [await rates.hit(5, "x") for _ in range(8)]
        assert [one.admitted for one in standings] == [True] * 5 + [False] * 3
        await rates.forgive(5, "x")
        server.start()
        assert (await rates.hit(5, "x")).admitted


@on_sqlite
async def test_every_answer_says_where_the_caller_stands(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    first, second = await owner.get("/models"), await owner.get("/models")
    for answer in (first, second):
        assert answer.headers["ratelimit-limit"] == "6000"
        assert 0 < int(answer.headers["ratelimit-reset"]) <= 60
    assert int(second.headers["ratelimit-remaining"]) == int(first.headers["ratelimit-remaining"]) - 1
    with_key = await owner.get("/models", headers={"Authorization": f"Bearer {owner.key}"})
    assert int(with_key.headers["ratelimit-remaining"]) == 5999, "a key is counted for itself"
    anonymous = await client.get("/api/v1/auth/jwks")
    assert anonymous.headers["ratelimit-limit"] == "600"
    assert "ratelimit-limit" not in (await client.get("/healthz")).headers


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    if "strict" not in request.keywords:
        return settings
    changes: dict[str, object] = {"rates": RatesSettings(anonymous=8, caller=6, predict=3)}
    if "shared" in request.keywords:
        url = request.getfixturevalue("redis").url
        changes["cache"] = CacheSettings.model_validate({"url": url})
    return settings.model_copy(update=changes)


@on_sqlite
@pytest.mark.strict
async def test_above_the_limit_the_answer_is_429_until_the_window_ends(
    client: httpx2.AsyncClient, owner: Caller
) -> None:
    answers = [await owner.get("/users/me") for _ in range(8)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == 2
    assert refused[0].json()["type"] == "urn:argosy:problem:too-many-requests"
    assert int(refused[0].headers["retry-after"]) == int(refused[0].headers["ratelimit-reset"])
    assert (await owner.get("/users/me", headers={"X-API-Key": owner.key})).status_code == 429
    with_key = {"Authorization": f"Bearer {owner.key}"}
    assert (await owner.get("/users/me", headers=with_key)).status_code == 200
    predicted = [await owner.post("/models/owner/none/predict", json={}, headers=with_key) for _ in range(5)]
    assert [answer.status_code for answer in predicted] == [404] * 3 + [429] * 2, "predictions are counted apart"


@on_sqlite
@pytest.mark.strict
async def test_strangers_are_counted_by_address(client: httpx2.AsyncClient) -> None:
    answers = [await client.get("/api/v1/auth/jwks") for _ in range(10)]
    assert [answer.status_code for answer in answers] == [200] * 8 + [429] * 2
    guesses = [await client.get("/api/v1/models", headers={"X-API-Key": f"ak_{number}"}) for number in range(10)]
    assert [answer.status_code for answer in guesses] == [401] * 8 + [429] * 2
    assert (await client.get("/healthz")).status_code == 200


@on_sqlite
@pytest.mark.strict
@pytest.mark.shared
async def test_two_servers_on_one_redis_admit_together_what_one_may(
    app: FastAPI, settings: Settings, client: httpx2.AsyncClient
) -> None:
    caller = await register(client, "both")
    other = create_app(settings)
    async with (
        other.router.lifespan_context(other),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=other), base_url="http://argosy.test") as second,
    ):
        bearer = {"Authorization": f"Bearer {caller.token}"}
        calls = [http.get("/api/v1/users/me", headers=bearer) for http in (client, second) for _ in range(6)]
        answers = await asyncio.gather(*calls)
    assert [answer.status_code for answer in answers].count(200) == 5, "and one was used by the fixture"


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "memory://"])
@on_sqlite
async def test_a_client_address_is_believed_only_from_a_trusted_proxy(settings: Settings, url: str) -> None:
    trusting = settings.network.model_copy(update={"proxies": ["10.0.0.0/8"]})
    changed = settings.model_copy(
        update={
            "network": trusting,
            "rates": RatesSettings(anonymous=2),
            "cache": CacheSettings.model_validate({"url": url}),
        }
    )
    app = create_app(changed)

    async def statuses(peer: str) -> list[int]:
        transport = httpx2.ASGITransport(app=app, client=(peer, 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://argosy.test") as http:
            path = "/api/v1/auth/jwks"
            return [(await http.get(path, headers={"X-Forwarded-For": f"203.0.113.{n}"})).status_code for n in range(4)]

    async with app.router.lifespan_context(app):
        assert await statuses("10.1.2.3") == [200] * 4, "four clients behind the proxy"
        assert await statuses("198.51.100.7") == [200, 200, 429, 429], "one client who says otherwise"
