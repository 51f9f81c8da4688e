"""What a body, a header or a name can carry that nobody asked for: it is refused, or it has no effect."""

import json
import re
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from argosy.app import create_app
from argosy.settings import NetworkSettings, PublicSettings, Settings
from tests.support.callers import PASSWORD, Caller, register

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
pytestmark = [on_sqlite]
# Of these some are fields of one schema or another; where they are not, they must not be settable.
SMUGGLED: dict[str, Any] = {
    "id": "00000000-0000-0000-0000-000000000001",
    "organization_id": "00000000-0000-0000-0000-000000000001",
    "owner_id": "00000000-0000-0000-0000-000000000001",
    "user_id": "00000000-0000-0000-0000-000000000001",
    "created_by": "00000000-0000-0000-0000-000000000001",
    "created_at": "2020-01-01T00:00:00Z",
    "revision": 1,
    "is_admin": True,
    "is_active": True,
    "role": "owner",
    "scopes": ["users:write"],
    "email_verified_at": "2020-01-01T00:00:00Z",
    "password_hash": "x",
    "secret_hash": "x",
    "personal": False,
    "last_version": 9,
    "status": "ready",
    "tenant": "x",
    "price": 0,
    "quota": 10**9,
    "__class__": "x",
    "constructor": {"prototype": {}},
}


def writable(app: FastAPI) -> list[tuple[str, str, set[str]]]:
    """Every operation with a JSON body, and the names its schemas know."""
    document = app.openapi()
    found = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if schema is None or path.endswith(("/predict", "/infer")):
                continue
            references = re.findall(r"#/components/schemas/(\w+)", json.dumps(schema))
            known = [set(document["components"]["schemas"][name]["properties"]) for name in references]
            found.append((method.upper(), path, set().union(*known)))
    return found


# Its body is as the provider sends it: what counts is who signed it.
WEBHOOK = "/api/v1/payments/webhooks/{provider}"


async def test_no_field_that_a_schema_does_not_name_is_taken(app: FastAPI, owner: Caller) -> None:
    operations = writable(app)
    assert len(operations) >= 23
    for method, path, known in operations:
        if path == WEBHOOK:
            continue
        filled = re.sub(r"{(\w+)}", lambda match: "owner" if match.group(1) == "org" else "0" * 32, path)
        for name, value in SMUGGLED.items():
            if name in known:
                continue
            response = await owner.request(method, filled.removeprefix("/api/v1"), json={name: value})
            if response.status_code in {403, 429}:
                assert path.startswith(("/api/v1/users/", "/api/v1/auth/")), (method, path)
                continue
            assert response.status_code == 422, (method, path, name, response.text)
            told = [error for error in response.json()["errors"] if error["loc"][-1] == name]
            assert told or len(response.json()["errors"]) > 0, (method, path, name)
            assert any(error["type"] == "extra_forbidden" for error in response.json()["errors"]), (method, path, name)


async def test_every_body_schema_forbids_what_it_does_not_name(app: FastAPI) -> None:
    document = app.openapi()
    for method, path, _known in writable(app):
        schema = document["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["schema"]
        for name in re.findall(r"#/components/schemas/(\w+)", json.dumps(schema)):
            assert document["components"]["schemas"][name]["additionalProperties"] is False, (method, path, name)


async def test_no_answer_has_a_field_for_a_secret(app: FastAPI) -> None:
    """Secrets are in the answers that make them, and in no other."""
    shown_once = {"ApiKeyCreated.key", "ClientCreated.client_secret", "Token.access_token", "Token.refresh_token"}
    shown_once |= {"BrowserSession.csrf_token", "JsonWebKeys.keys", "Token.token_type", "Introspection.token_type"}
    schemas = app.openapi()["components"]["schemas"]
    asked = {name for name in schemas if "Request" in name or name in REQUESTS}
    suspicious = re.compile(r"hash|secret|token|password|^key$|^keys$|private", re.IGNORECASE)
    found = {
        f"{schema}.{name}"
        for schema, description in schemas.items()
        if schema not in asked
        for name in description.get("properties", {})
        if suspicious.search(name)
    }
    harmless = {"AuditRead.hash", "AuditRead.previous_hash", "Embedding.max_tokens", "VersionRead.tokenizer"}
    assert found - harmless <= shown_once | {name for name in found if name.endswith(("_digest", "sha256"))}


REQUESTS = {
    "Register", "Login", "PasswordChange", "PasswordReset", "EmailChange", "Body_issue_token", "TokenUse",
    "Body_revoke_token", "Body_introspect_token",
}  # fmt: skip


async def test_a_header_cannot_write_into_the_log_or_the_answer(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = ['a"}\x1b[31m{"level":"critical', "line\tbreak", "\x7f\x01", "é" * 100, "x" * 5000]
    for value in hostile:
        headers: Any = {"User-Agent": value.encode("latin-1"), "X-Request-ID": value.encode("latin-1")}
        response = await client.get("/api/v1/auth/jwks", headers=headers)
        assert response.status_code == 200
        assert re.fullmatch(r"[0-9a-f-]{36}", response.headers["x-request-id"])
    await owner.post("/models", json={"name": 'x"\n{"level": "critical"}'})
    logged = capsys.readouterr().err
    for line in logged.splitlines():
        assert isinstance(json.loads(line), dict), line
    assert "\x1b" not in logged


async def test_a_secret_is_not_written_to_the_log(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    from argosy.kit.logs import get_logger  # noqa: PLC0415

    get_logger("test").warning("told", detail=f"Bearer {owner.key} {owner.refresh_token}", password=PASSWORD)
    await client.post("/api/v1/auth/register", json={"password": PASSWORD, "api_key": owner.key})
    logged = capsys.readouterr().err
    for secret in (owner.key, owner.refresh_token, owner.token, PASSWORD):
        assert secret not in logged


def served(settings: Settings, **changes: Any) -> httpx2.AsyncClient:
    app = create_app(settings.model_copy(update=changes))
    transport = httpx2.ASGITransport(app=app, client=("203.0.113.5", 1))
    return httpx2.AsyncClient(transport=transport, base_url="http://argosy.test")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("argosy.test", 200), ("ARGOSY.test:8000", 200), ("localhost", 200), ("127.0.0.1:8000", 200), ("[::1]:80", 200),
        ("10.1.2.3", 200), ("hub.example.org", 200), ("argosy.test.", 200), ("evil.example", 421),
        ("argosy.test.evil.example", 421), ("evil.example:argosy.test", 421), ("argosy.test@evil.example", 421),
        ("localhost.evil.example", 421), ("", 421), ("a b", 421), ("127.0.0.1.nip.io", 421),
    ],
)  # fmt: skip
async def test_only_our_own_names_are_answered_to(settings: Settings, host: str, status: int) -> None:
    public = PublicSettings.model_validate({"url": "https://hub.example.org"})
    async with served(settings, public=public) as http:
        response = await http.get("/healthz", headers={"Host": host})
        assert response.status_code == status
        if status == 421 and host:
            assert host not in response.text


async def test_another_origin_reads_nothing_unless_it_is_listed(settings: Settings) -> None:
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    async with served(settings) as closed:
        for origin in ("https://evil.example", "null"):
            headers = {"Origin": origin, **preflight}
            assert (
                "access-control-allow-origin" not in (await closed.options("/api/v1/models", headers=headers)).headers
            )
            assert "access-control-allow-origin" not in (await closed.get("/healthz", headers=headers)).headers
    listed = NetworkSettings(hosts=["argosy.test"], origins=["https://app.example"])
    async with served(settings, network=listed) as opened:
        asked = await opened.options("/api/v1/models", headers={"Origin": "https://app.example", **preflight})
        assert asked.headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-credentials" not in asked.headers
        for origin in ("https://evil.example", "https://app.example.evil", "http://app.example", "null", "*"):
            refused = await opened.options("/api/v1/models", headers={"Origin": origin, **preflight})
            assert refused.headers.get("access-control-allow-origin") != origin
            answer = await opened.get("/healthz", headers={"Origin": origin})
            assert "access-control-allow-origin" not in answer.headers


async def test_protective_headers_are_on_every_answer(client: httpx2.AsyncClient, owner: Caller) -> None:
    for response in (
        await owner.get("/users/me"),
        await client.get("/nowhere"),
        await client.get("/docs"),
        await client.post("/api/v1/auth/token", content=b"x"),
    ):
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'unsafe" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["cache-control"] == "no-store"
        assert "server" not in response.headers


async def test_a_method_that_is_not_there_is_told_with_those_that_are(owner: Caller) -> None:
    for path, allowed in (("/models", {"GET", "POST"}), ("/users/me", {"GET", "PATCH"})):
        response = await owner.request("PUT", path)
        assert response.status_code == 405
        assert {name.strip() for name in response.headers["allow"].split(",")} - {"HEAD"} == allowed, path
        assert response.headers["content-type"] == "application/problem+json"


async def test_the_document_can_be_kept_for_those_who_have_credentials(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"public": PublicSettings(docs=False)}))
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://argosy.test") as http,
    ):
        assert (await http.get("/openapi.json")).status_code == 401
        caller = await register(http, "reader")
        assert (await caller.http.get("/openapi.json", headers={"X-API-Key": caller.key})).status_code == 200


async def test_a_key_does_not_tell_how_to_reach_its_maker(owner: Caller) -> None:
    told = (await owner.get("/users/me", headers={"Authorization": f"Bearer {owner.key}"})).json()
    assert (told["username"], told["email"], told["full_name"]) == ("owner", None, None)
