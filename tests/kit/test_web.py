"""What every route has: problem documents, request ids, protective headers, strict JSON, preconditions."""

import json
import logging
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm.exc import StaleDataError

from argosy.kit import crypto
from argosy.kit.logs import configure_logs, get_logger
from argosy.kit.principal import Principal
from argosy.kit.web.entrance import Entrance
from argosy.kit.web.problems import translate
from argosy.settings import LogSettings
from tests.support.callers import Caller


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("PUT", "/api/v1/models", 405), ("GET", "/api/v1/models", 401), ("GET", "/%00", 400),
     ("GET", "/api/v1/models?q=%00", 400)],
)  # fmt: skip
async def test_every_error_is_a_problem_document(
    client: httpx2.AsyncClient, method: str, path: str, status: int
) -> None:
    response = await client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) >= {"type", "title", "status", "detail", "instance", "request_id"}
    assert problem["status"] == status
    assert problem["type"].startswith("urn:argosy:problem:")


async def test_every_answer_carries_an_id_and_protective_headers(client: httpx2.AsyncClient) -> None:
    given = await client.get("/healthz", headers={"X-Request-ID": "mine-1"})
    assert given.headers["x-request-id"] == "mine-1"
    forged = await client.get("/healthz", headers={"X-Request-ID": "a b\tc"})
    assert forged.headers["x-request-id"] != "a b\tc"
    for header in ("x-content-type-options", "content-security-policy", "referrer-policy", "cache-control"):
        assert given.headers[header]
    assert (await client.get("/readyz")).json() == {"status": "ready", "checks": {"database": True}}


async def test_an_unexpected_error_tells_nothing(app: FastAPI, client: httpx2.AsyncClient, owner: Caller) -> None:
    class Broken:
        async def authenticate(self, credentials: object) -> Principal:
            raise RuntimeError("the secret is swordfish")

    app.state.entrance = Entrance(Broken(), app.state.rates, app.state.settings.rates)
    response = await client.get("/api/v1/models", headers={"X-API-Key": "any"})
    assert response.status_code == 500
    assert response.json()["type"] == "urn:argosy:problem:internal-error"
    assert "swordfish" not in response.text
    assert response.headers["x-request-id"]


async def test_an_unready_server_says_so(app: FastAPI, client: httpx2.AsyncClient) -> None:
    class Away:
        async def ping(self) -> None:
            raise OSError

    database, app.state.database = app.state.database, Away()
    response = await client.get("/readyz")
    app.state.database = database
    assert response.status_code == 503
    assert response.json()["checks"] == {"database": False}


HOSTILE: list[tuple[bytes, int]] = [
    (b"", 422),
    (b"{", 400),
    (b"nul", 400),
    (b'{"name": NaN}', 400),
    (b'{"name": "a", "name": "b"}', 400),
    (b'{"name": "\\ud800"}', 400),
    (b'{"name": "a\\u0000"}', 422),
    (b'{"na\\u0000me": "a"}', 422),
    (b'{"name": "\xff"}', 400),
    (b'{"name": 1e999}', 422),
    (b'{"name": ' + b"9" * 100_000 + b"}", 400),
    (b'{"name": ["a"]}', 422),
    (b"[]", 422),
    (b"null", 422),
    (b"[" * 5000, 400),
    (b'{"name": "a"} {}', 400),
    (b'{"name": "' + b"a" * 100_000 + b'"}', 422),
    (json.dumps({"name": "a", **{f"x{index}": 1 for index in range(5000)}}).encode(), 422),
]


async def test_hostile_json_is_refused_and_not_echoed(owner: Caller) -> None:
    for body, status in HOSTILE:
        response = await owner.post("/models", content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == status, (body[:60], response.text[:300])
        assert response.headers["content-type"] == "application/problem+json"
        assert len(response.content) < 16_384
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}, {}):
        response = await owner.post("/models", content=b'{"name": "a"}', headers=headers)
        assert response.status_code == 415
    assert (await owner.get("/models")).json()["total"] == 0


async def test_if_match_must_be_an_etag(owner: Caller) -> None:
    for value, status in (("nonsense", 422), ("*", 200), ('W/"1", "2"', 200), ('"7"', 412)):
        response = await owner.patch("/users/me", json={}, headers={"If-Match": value})
        assert response.status_code == status, (value, response.text)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StaleDataError(), 412),
        (IntegrityError("", {}, Exception("unique")), 409),
        (OperationalError("", {}, _locked := __import__("sqlite3").OperationalError("database is locked")), 503),
        (OperationalError("", {}, __import__("sqlite3").OperationalError("database or disk is full")), 507),
        (OSError(28, "No space left on device"), 507),
    ],
)
def test_a_library_error_becomes_ours(error: Exception, status: int) -> None:
    translated = translate(error)
    assert translated is not None
    assert translated.status == status
    assert translate(KeyError()) is None


def test_logs_are_one_json_object_a_line_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(format="json", level="info"))
    key = crypto.new_token("ak_")
    get_logger("test").info("signed_in", password="hunter2", url="postgresql://a:b@host/db", note=f"key {key}\nline")
    logging.getLogger("library").warning("token eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl")
    lines = capsys.readouterr().err.strip().splitlines()
    first, second = (json.loads(line) for line in lines)
    assert first["event"] == "signed_in"
    assert first["password"] == "[redacted]"
    text = " ".join(lines)
    assert not [secret for secret in ("hunter2", key, "a:b@", "eyJzdWIi") if secret in text]
    assert second["level"] == "warning"
    configure_logs(LogSettings(format="console"))
    get_logger("test").info("human")
    assert "human" in capsys.readouterr().err


def test_uvicorn_words_no_line_for_each_request() -> None:
    configure_logs(LogSettings())
    assert not logging.getLogger("uvicorn.access").hasHandlers()


def test_a_secret_key_is_made_once_and_kept_private(tmp_path: Any) -> None:
    path = tmp_path / "secrets" / "key"
    first = crypto.load_or_create_secret(path)
    assert len(first) >= 32
    assert crypto.load_or_create_secret(path) == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert crypto.KeyRing(first).key("a") != crypto.KeyRing(first).key("b")
    token = crypto.new_token("ak_")
    assert crypto.is_well_formed(token, "ak_")
    assert not crypto.is_well_formed(token[:-1] + ("A" if token[-1] != "A" else "B"), "ak_")
