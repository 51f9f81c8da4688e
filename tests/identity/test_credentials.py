"""Credentials of organizations: API keys, OAuth2 clients, and what is given to them."""

import base64
import hashlib
import time
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import time_machine
from fastapi import FastAPI

from argosy.kit.clock import now
from argosy.kit.web.entrance import Entrance
from tests.support.callers import PASSWORD, Caller, sign_in
from tests.support.models import pushed

REDIRECT = "https://app.example/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


async def make_key(owner: Caller, **options: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"name": "k", "scopes": ["models:read", "models:write", "predict"], **options}
    made = await owner.post("/organizations/owner/api-keys", json=body)
    assert made.status_code == 201, made.text
    key: dict[str, Any] = made.json()
    return key


async def make_client(owner: Caller, **options: Any) -> dict[str, Any]:
    body = {"name": "c", "scopes": ["models:read", "predict"], **options}
    made = await owner.post("/organizations/owner/clients", json=body)
    assert made.status_code == 201, made.text
    client: dict[str, Any] = made.json()
    return client


async def token(http: httpx2.AsyncClient, **form: str) -> httpx2.Response:
    return await http.post("/api/v1/auth/token", data=form)


async def client_token(http: httpx2.AsyncClient, client: dict[str, Any], **form: str) -> httpx2.Response:
    secret = {"client_id": client["client_id"], "client_secret": client["client_secret"]}
    return await token(http, grant_type="client_credentials", **(secret | form))


async def test_a_key_is_shown_once_and_told_apart_by_its_ends(owner: Caller) -> None:
    made = await make_key(owner)
    assert made["key"].startswith("ak_")
    assert len(base64.urlsafe_b64decode(made["key"][3:35])) * 8 >= 160
    listed = await owner.get("/organizations/owner/api-keys")
    assert made["key"] not in listed.text
    (shown,) = (item for item in listed.json()["items"] if item["id"] == made["id"])
    assert made["key"].startswith(shown["prefix"])
    assert made["key"].endswith(shown["suffix"])
    assert len(shown["suffix"]) == 4


async def test_a_key_limited_to_models_sees_no_others(owner: Caller) -> None:
    await pushed(owner, "sizes")
    await owner.post("/models", json={"name": "hidden"})
    headers = bearer((await make_key(owner, models=["owner/sizes"]))["key"])
    row = {"rows": [{"width": 1, "height": 1}]}
    assert (await owner.post("/models/owner/sizes/predict", json=row, headers=headers)).status_code == 200
    assert [model["name"] for model in (await owner.get("/models", headers=headers)).json()["items"]] == ["sizes"]
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/versions"), ("POST", "/predict")):
        body: dict[str, Any] = {} if method in {"GET", "DELETE"} else {"json": {}}
        answer = await owner.request(method, f"/models/owner/hidden{path}", headers=headers, **body)
        assert answer.status_code == 404, (method, path)
    assert (await owner.post("/models", json={"name": "new"}, headers=headers)).status_code == 403


@on_sqlite
async def test_a_key_limited_to_networks_is_refused_from_elsewhere(app: FastAPI, owner: Caller) -> None:
    made = await make_key(owner, networks=["203.0.113.0/24", "2001:db8::/32"])
    for address, status in (
        ("203.0.113.7", 200), ("::ffff:203.0.113.7", 200), ("2001:db8::1", 200), ("203.0.114.1", 401),
        ("127.0.0.1", 401), ("2001:db9::1", 401), ("unknown", 401),
    ):  # fmt: skip
        transport = httpx2.ASGITransport(app=app, client=(address, 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://argosy.test") as http:
            forged = {**bearer(made["key"]), "X-Forwarded-For": "203.0.113.7"}
            assert (await http.get("/api/v1/models", headers=forged)).status_code == status, address


async def test_a_key_is_rotated_without_a_gap(owner: Caller) -> None:
    made = await make_key(owner)
    path = f"/organizations/owner/api-keys/{made['id']}/rotate"
    rotated = (await owner.post(path, json={"overlap_seconds": 60})).json()
    assert rotated["id"] == made["id"]
    assert rotated["key"] != made["key"]

    async def statuses() -> list[int]:
        keys = (made["key"], rotated["key"])
        return [(await owner.get("/models", headers=bearer(key))).status_code for key in keys]

    assert await statuses() == [200, 200]
    with time_machine.travel(now() + timedelta(seconds=61), tick=False):
        assert await statuses() == [401, 200]
    at_once = (await owner.post(path, json={"overlap_seconds": 0})).json()
    assert await statuses() == [401, 401]
    assert (await owner.get("/models", headers=bearer(at_once["key"]))).status_code == 200
    await owner.delete(f"/organizations/owner/api-keys/{made['id']}")
    assert (await owner.get("/models", headers=bearer(at_once["key"]))).status_code == 401
    assert (await owner.post(path, json={})).status_code == 404


async def test_a_key_ends_when_its_time_is_up_and_tells_when_it_was_used(app: FastAPI, owner: Caller) -> None:
    made = await make_key(owner, expires_at=(now() + timedelta(hours=1)).isoformat())
    assert made["last_used_at"] is None
    assert (await owner.get("/models", headers=bearer(made["key"]))).status_code == 200
    await app.state.activity.flush()
    listed = (await owner.get("/organizations/owner/api-keys")).json()["items"]
    assert next(item for item in listed if item["id"] == made["id"])["last_used_at"]
    with time_machine.travel(now() + timedelta(hours=1, seconds=1), tick=False):
        assert (await owner.get("/models", headers=bearer(made["key"]))).status_code == 401
    past = {"name": "k", "scopes": ["predict"], "expires_at": "2020-01-01T00:00:00Z"}
    assert (await owner.post("/organizations/owner/api-keys", json=past)).status_code == 422


@on_sqlite
async def test_a_thousand_wrong_keys_are_refused_as_quickly_as_a_right_one(app: FastAPI, owner: Caller) -> None:
    app.state.entrance = Entrance(
        app.state.authenticator, app.state.rates, app.state.settings.rates.model_copy(update={"anonymous": 10**6})
    )
    from argosy.kit.crypto import new_token  # noqa: PLC0415

    async def quickest(keys: list[str], status: int) -> float:
        taken = []
        for key in keys:
            started = time.perf_counter()
            assert (await owner.get("/users/me", headers=bearer(key))).status_code == status
            taken.append(time.perf_counter() - started)
        return sorted(taken)[len(taken) // 10]

    wrong = await quickest([new_token("ak_") for _ in range(1000)], 401)
    right = await quickest([owner.key] * 100, 200)
    assert wrong <= right * 1.2 + 0.001, (wrong, right)


async def test_a_client_gets_a_token_for_itself(client: httpx2.AsyncClient, owner: Caller, stranger: Caller) -> None:
    made = await make_client(owner)
    answer = await client_token(client, made)
    assert answer.status_code == 200
    assert "refresh_token" not in answer.json(), "RFC 6749, section 4.4.3"
    assert answer.json()["scope"] == "models:read predict"
    headers = bearer(answer.json()["access_token"])
    me = (await owner.get("/users/me", headers=headers)).json()
    assert (me["kind"], me["organization"]["slug"], me["scopes"]) == ("client", "owner", ["models:read", "predict"])
    assert (await owner.post("/models", json={"name": "x"}, headers=headers)).status_code == 403
    assert (await owner.get("/models", headers={**headers, "X-Organization": "stranger"})).status_code == 404
    assert (await owner.get("/auth/sessions", headers=headers)).status_code == 403
    basic = httpx2.BasicAuth(made["client_id"], made["client_secret"])
    form = {"grant_type": "client_credentials", "scope": "predict"}
    narrowed = await client.post("/api/v1/auth/token", data=form, auth=basic)
    assert narrowed.json()["scope"] == "predict"
    assert (await client.get("/api/v1/models", headers=bearer(narrowed.json()["access_token"]))).status_code == 403
    assert (await client.get("/api/v1/models", auth=basic)).status_code == 200


async def test_a_client_without_its_secret_gets_nothing(client: httpx2.AsyncClient, owner: Caller) -> None:
    made = await make_client(owner)
    for wrong in (
        {"client_secret": "cs_wrong"},
        {"client_secret": ""},
        {"client_id": "cl_" + "0" * 32},
        {"client_id": made["id"]},
    ):
        answer = await client_token(client, made, **wrong)
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:argosy:problem:invalid-client"), wrong
        assert "www-authenticate" in answer.headers
    for scope in ("models:write", "organization:own", "nonsense"):
        answer = await client_token(client, made, scope=scope)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    assert (await client.get("/api/v1/models", auth=(made["client_id"], "cs_wrong"))).status_code == 401


async def test_a_clients_secret_is_rotated_and_its_tokens_end_with_it(
    client: httpx2.AsyncClient, owner: Caller
) -> None:
    made = await make_client(owner)
    path = f"/organizations/owner/clients/{made['client_id']}"
    access = (await client_token(client, made)).json()["access_token"]
    rotated = (await owner.post(f"{path}/rotate", json={"overlap_seconds": 60})).json()
    assert (await client_token(client, made)).status_code == 200
    assert (await client_token(client, rotated)).status_code == 200
    with time_machine.travel(now() + timedelta(seconds=61), tick=False):
        assert (await client_token(client, made)).status_code == 401
    assert made["client_secret"] not in (await owner.get("/organizations/owner/clients")).text
    assert (await owner.delete(path)).status_code == 204
    assert (await owner.get("/models", headers=bearer(access))).status_code == 401
    assert (await client_token(client, rotated)).status_code == 401


async def test_whoever_holds_a_token_can_end_it(client: httpx2.AsyncClient, owner: Caller, stranger: Caller) -> None:
    async def revoke(credential: str, caller: Caller = stranger) -> None:
        form = {"token": credential, "token_type_hint": "anything"}
        assert (await caller.post("/auth/revoke", data=form)).status_code == 200

    async def status(credential: str) -> int:
        return (await owner.get("/users/me", headers=bearer(credential))).status_code

    refreshing, other = await sign_in(client, "owner"), await sign_in(client, "owner")
    await revoke(refreshing["refresh_token"])
    assert await status(refreshing["access_token"]) == 401, "the family goes with it"
    await revoke(other["access_token"])
    renewed = await token(client, grant_type="refresh_token", refresh_token=other["refresh_token"])
    assert renewed.status_code == 401
    key = (await make_key(owner))["key"]
    await revoke(key)
    assert await status(key) == 401
    made = await make_client(owner)
    first, second = [(await client_token(client, made)).json()["access_token"] for _ in range(2)]
    await revoke(first)
    assert (await status(first), await status(second)) == (401, 200), "one token, not the client"
    for unknown in ("nonsense", "rt_" + "0" * 32 + "x", "ak_x", owner.refresh_token[:-1] + "x"):
        await revoke(unknown)
    assert await status(owner.token) == 200
    assert (await client.post("/api/v1/auth/revoke", data={"token": key})).status_code == 401


async def test_a_token_is_described_to_its_organization_only(
    client: httpx2.AsyncClient, owner: Caller, stranger: Caller
) -> None:
    async def inspect(caller: Caller, credential: str, **options: Any) -> dict[str, Any]:
        answer = await caller.post("/auth/introspect", data={"token": credential}, **options)
        assert answer.status_code == 200
        described: dict[str, Any] = answer.json()
        return described

    made = await make_client(owner)
    mine = await inspect(owner, owner.token)
    assert (mine["active"], mine["username"], mine["sub"]) == (True, "owner", owner.user_id)
    access = (await client_token(client, made)).json()["access_token"]
    service = await inspect(owner, access, headers=bearer(owner.key))
    assert (service["active"], service["client_id"], service["scope"]) == (
        True,
        made["client_id"],
        "models:read predict",
    )
    for caller, credential in ((stranger, owner.token), (stranger, access), (owner, "x"), (owner, owner.key)):
        assert await inspect(caller, credential) == {"active": False}
    await owner.post("/auth/revoke", data={"token": access})
    assert await inspect(owner, access) == {"active": False}
    await owner.delete(f"/organizations/owner/clients/{made['client_id']}")


@pytest.fixture
async def app_client(owner: Caller) -> dict[str, Any]:
    return await make_client(owner, redirect_uris=[REDIRECT], scopes=["models:read", "predict"])


async def allow(caller: Caller, client: dict[str, Any], **changes: Any) -> httpx2.Response:
    asked = {
        "client_id": client["client_id"], "redirect_uri": REDIRECT, "code_challenge": CHALLENGE,
        "scope": "models:read", "state": "a&b=c",
    }  # fmt: skip
    return await caller.post("/auth/authorize", json=asked | changes)


async def exchange(http: httpx2.AsyncClient, client: dict[str, Any], given: str, **changes: str) -> httpx2.Response:
    form = {
        "grant_type": "authorization_code", "code": given, "redirect_uri": REDIRECT, "code_verifier": VERIFIER,
        "client_id": client["client_id"], "client_secret": client["client_secret"],
    }  # fmt: skip
    return await token(http, **(form | changes))


async def code_for(caller: Caller, client: dict[str, Any]) -> str:
    location: str = (await allow(caller, client)).json()["redirect_to"]
    return parse_qs(urlsplit(location).query)["code"][0]


async def test_a_person_lets_a_client_of_others_act_for_them(
    client: httpx2.AsyncClient, stranger: Caller, app_client: dict[str, Any]
) -> None:
    allowed = await allow(stranger, app_client)
    query = parse_qs(urlsplit(allowed.json()["redirect_to"]).query)
    assert allowed.json()["redirect_to"].startswith(f"{REDIRECT}?")
    assert (query["state"], query["iss"]) == (["a&b=c"], ["urn:argosy"])
    given = (await exchange(client, app_client, query["code"][0])).json()
    headers = bearer(given["access_token"])
    me = (await client.get("/api/v1/users/me", headers=headers)).json()
    assert (me["username"], me["scopes"]) == ("stranger", ["models:read"])
    assert (await client.patch("/api/v1/users/me", json={}, headers=headers)).status_code == 403
    bare = await token(client, grant_type="refresh_token", refresh_token=given["refresh_token"])
    assert bare.status_code == 401, "a client's refresh token is for the client"
    secret = {"client_id": app_client["client_id"], "client_secret": app_client["client_secret"]}
    renewed = await token(client, grant_type="refresh_token", refresh_token=given["refresh_token"], **secret)
    assert renewed.json()["scope"] == "models:read"
    wider = await token(
        client, grant_type="refresh_token", refresh_token=renewed.json()["refresh_token"], scope="predict", **secret
    )
    assert wider.json()["error"] == "invalid_scope"


async def test_a_code_is_for_its_client_its_verifier_and_once(
    client: httpx2.AsyncClient, owner: Caller, stranger: Caller, app_client: dict[str, Any]
) -> None:
    other = await make_client(owner, redirect_uris=[REDIRECT])
    code = await code_for(stranger, app_client)
    for changes in (
        {"code_verifier": "w" * 43},
        {"code_verifier": CHALLENGE},
        {"redirect_uri": f"{REDIRECT}/"},
        {"client_id": other["client_id"], "client_secret": other["client_secret"]},
        {"code": code[:-1] + "x"},
        {"client_secret": "cs_wrong"},
    ):
        assert (await exchange(client, app_client, code, **changes)).status_code == 401, changes
    with time_machine.travel(now() + timedelta(seconds=61), tick=False):
        assert (await exchange(client, app_client, code)).status_code == 401
    given = (await exchange(client, app_client, code)).json()
    assert (await client.get("/api/v1/users/me", headers=bearer(given["access_token"]))).status_code == 200
    assert (await exchange(client, app_client, code)).status_code == 401
    ended = await client.get("/api/v1/users/me", headers=bearer(given["access_token"]))
    assert ended.status_code == 401, "one of the two who had the code stole it"


@on_sqlite
async def test_a_code_goes_nowhere_but_where_the_client_registered(
    owner: Caller, stranger: Caller, app_client: dict[str, Any]
) -> None:
    for elsewhere in (
        "https://evil.example/callback", f"{REDIRECT}/x", f"{REDIRECT}?x", "https://app.example", "HTTPS://app.example/callback",
        "https://app.example/callback#x", "https://app.example@evil.example/callback", "javascript:alert(1)",
    ):  # fmt: skip
        refused = await allow(stranger, app_client, redirect_uri=elsewhere)
        assert refused.status_code == 422, elsewhere
    for changes, status in (
        ({"scope": "models:write"}, 400),
        ({"scope": "account"}, 400),
        ({"scope": ""}, 400),
        ({"client_id": "cl_" + "0" * 32}, 401),
        ({"code_challenge_method": "plain"}, 422),
        ({"code_challenge": "short"}, 422),
    ):
        assert (await allow(stranger, app_client, **changes)).status_code == status, changes
    key = bearer(stranger.key)
    answer = await stranger.post("/auth/authorize", json={}, headers=key)
    assert answer.status_code in {403, 422}


@on_sqlite
async def test_the_password_grant_can_be_switched_off_and_is_not_for_clients(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, app_client: dict[str, Any]
) -> None:
    form = {"grant_type": "password", "username": "owner", "password": PASSWORD}
    assert (await token(client, **form, client_id=app_client["client_id"])).status_code == 401
    security = app.state.settings.security.model_copy(update={"password_grant": False})
    app.state.settings = app.state.settings.model_copy(update={"security": security})
    assert (await token(client, **form)).json()["error"] == "unsupported_grant_type"
    renewed = await token(client, grant_type="refresh_token", refresh_token=owner.refresh_token)
    assert renewed.status_code == 200
