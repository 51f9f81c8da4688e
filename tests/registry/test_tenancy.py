"""Other tenants' things do not exist: every route, with another's names and ids, answers 404."""

import re
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from tests.support.callers import Caller
from tests.support.models import pushed
from tests.support.products import carded, drafted, published

OPEN = {
    "/healthz", "/readyz", "/v2", "/v2/health/live", "/v2/health/ready",
    "/api/v1/auth/register", "/api/v1/auth/token", "/api/v1/auth/login", "/api/v1/auth/jwks",
    "/api/v1/auth/email/verify", "/api/v1/auth/password/reset", "/api/v1/auth/oidc/{provider}",
    "/api/v1/auth/oidc/{provider}/callback",
    "/api/v1/articles", "/api/v1/articles/{article_id}",
    "/api/v1/payments/webhooks/{provider}",
}  # fmt: skip
# For visitors too: what is on sale.
CATALOGUE = {
    ("GET", f"/api/v1/products{rest}")
    for rest in ("", "/facets", *(f"/{{product_id}}{one}" for one in ("", "/prices", "/openapi.json", "/page")))
}
ADMINISTRATION = "/api/v1/users/{user_id}"
BODIES: dict[str, Any] = {
    "POST /api/v1/organizations/{org}/api-keys": {"name": "k", "scopes": ["predict"]},
    "POST /api/v1/organizations/{org}/api-keys/{key_id}/rotate": {},
    "POST /api/v1/organizations/{org}/clients": {"name": "c", "scopes": ["predict"]},
    "POST /api/v1/organizations/{org}/clients/{client_id}/rotate": {},
    "POST /api/v1/organizations/{org}/invitations": {"email": "me@example.org", "role": "admin"},
    "POST /api/v1/organizations/{org}/transfer": {"user_id": "00000000-0000-0000-0000-000000000001"},
    "PATCH /api/v1/organizations/{org}/members/{user_id}": {"role": "owner"},
    "PATCH /api/v1/organizations/{org}": {"name": "Mine now"},
    "PATCH /api/v1/models/{org}/{name}": {"description": "Mine now"},
    "PATCH /api/v1/models/{org}/{name}/versions/{number}": {"description": "Mine now"},
    "PATCH /api/v1/articles/{article_id}": {"title": "Mine now"},
    "PUT /api/v1/models/{org}/{name}/card": {"content": "Mine now, all of it."},
    "PUT /api/v1/models/{org}/{name}/aliases/{alias}": {"version": 1},
    "PUT /api/v1/models/{org}/{name}/deployment": {"traffic": [{"version": 1}]},
    "PATCH /api/v1/products/{product_id}": {"description": "Mine now"},
    "POST /api/v1/products/{product_id}/prices": {"amount": 1, "currency": "EUR"},
    "POST /api/v1/orders/{order_id}/pay": {},
    "PATCH /api/v1/entitlements/{entitlement_id}": {"status": "suspended"},
    "PUT /api/v1/models/{org}/{name}/response-cache": {"enabled": True},
    "PUT /api/v1/models/{org}/{name}/payload-logging": {"enabled": True},
    "POST /api/v1/models/{org}/{name}/predict": {"rows": [{"width": 1, "height": 1}]},
}


def routes(app: FastAPI) -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, item in app.openapi()["paths"].items() for method in item]


def send(caller: Caller, method: str, path: str, values: dict[str, str]) -> Any:
    options: dict[str, Any] = {}
    if f"{method} {path}" in BODIES:
        options["json"] = BODIES[f"{method} {path}"]
    if path.endswith("/versions") and method == "POST":
        options["files"] = {"artifact": ("m.onnx", b"\x08\x09\x12\x00")}
    query = "?a=1&b=1" if path.endswith("/compare") else ""
    filled = re.sub(r"{(\w+)}", lambda match: values[match.group(1)], path).removeprefix("/api/v1")
    return caller.request(method, filled + query, **options)


async def test_a_stranger_gets_404_on_every_route_of_a_private_model(
    app: FastAPI, owner: Caller, stranger: Caller
) -> None:
    version = await pushed(owner)
    client = await owner.post("/organizations/owner/clients", json={"name": "c", "scopes": ["predict"]})
    invited = await owner.post("/organizations/owner/invitations", json={"email": "new@example.org"})
    draft = await owner.post("/articles", json={"title": "Draft", "content": "Not for everybody yet."})
    sessions = (await owner.get("/auth/sessions")).json()["items"]
    await carded(owner, "owner/sizes")
    product = await drafted(owner, "Secret")
    given = {"organization": "owner", "product_id": product["id"]}
    entitlement = await owner.post("/entitlements", json=given)
    order = await owner.post("/orders", json={"items": [{"product_id": (await published(owner))["id"]}]})
    theirs = {
        "org": "owner",
        "order_id": order.json()["id"],
        "entitlement_id": entitlement.json()["id"],
        "product_id": product["id"],
        "client_id": client.json()["client_id"],
        "invitation_id": invited.json()["id"],
        "session_id": sessions[0]["id"],
        "user_id": owner.user_id,
        "provider": "none",
        "name": "sizes",
        "number": "1",
        "version": "1",
        "alias": "live",
        "job_id": version["job_id"],
        "article_id": draft.json()["id"],
        "key_id": owner.key_id,
    }
    ids = (
        "article_id", "job_id", "key_id", "invitation_id", "session_id", "user_id", "product_id", "order_id",
        "entitlement_id",
    )  # fmt: skip
    nothing = dict.fromkeys(ids, version["id"])
    absent = {**theirs, **nothing, "org": "nobody", "name": "nothing", "client_id": "cl_nothing"}
    templated = [(method, path) for method, path in routes(app) if "{" in path and path != ADMINISTRATION]
    assert len(templated) >= 36
    for method, path in templated:
        response = await send(stranger, method, path, theirs)
        assert response.status_code == 404, (method, path, response.text)
        missing = await send(stranger, method, path, absent)
        told = {key: value for key, value in response.json().items() if key not in {"instance", "request_id"}}
        also = {key: value for key, value in missing.json().items() if key not in {"instance", "request_id"}}
        assert told == also, (method, path)
    for listing in (
        "/models",
        "/jobs",
        "/organizations",
        "/usage",
        "/auth/sessions",
        "/products?status=draft",
        "/orders",
        "/sales",
        "/entitlements",
        "/entitlements?as=vendor",
    ):
        text = (await stranger.get(listing)).text
        assert "sizes" not in text
        assert '"owner"' not in text
    mine = await owner.get("/models/owner/sizes")
    assert mine.json()["description"] is None
    members = (await owner.get("/organizations/owner/members")).json()["items"]
    assert [(member["user_id"], member["role"]) for member in members] == [(owner.user_id, "owner")]
    assert (await owner.get("/users/me", headers={"Authorization": f"Bearer {owner.key}"})).status_code == 200


async def test_no_header_or_query_widens_the_view(owner: Caller, stranger: Caller) -> None:
    await owner.post("/models", json={"name": "secret"})
    for headers in ({"X-Organization": "owner"}, {"X-Org-Id": owner.organization_id}, {"X-Tenant-Id": "owner"}):
        assert (await stranger.get("/models/owner/secret", headers=headers)).status_code == 404
    assert (await stranger.get(f"/models?organization_id={owner.organization_id}")).json()["items"] == []


async def test_a_public_model_is_seen_and_called_but_not_changed(owner: Caller, stranger: Caller) -> None:
    await pushed(owner)
    await owner.patch("/models/owner/sizes", json={"visibility": "public"})
    assert (await stranger.get("/models/owner/sizes")).status_code == 200
    called = await stranger.post("/models/owner/sizes/predict", json={"rows": [{"width": 1, "height": 1}]})
    assert called.status_code == 200
    for method, path in (("PATCH", "/models/owner/sizes"), ("DELETE", "/models/owner/sizes")):
        response = await stranger.request(method, path, json={} if method == "PATCH" else None)
        assert response.status_code == 403, (method, response.text)


async def test_every_route_needs_credentials_except_a_few(app: FastAPI, client: httpx2.AsyncClient) -> None:
    assert len(OPEN) <= 16
    values = {"org": "a", "name": "b", "number": "1", "version": "1", "alias": "c"}
    for method, path in routes(app):
        if path in OPEN or (method, path) in CATALOGUE:
            continue
        filled = re.sub(r"{(\w+)}", lambda match: values.get(match.group(1), "0" * 32), path)
        body = BODIES.get(f"{method} {path}")
        response = await client.request(method, filled, json=body if body is not None else None)
        assert response.status_code in {401, 415, 422}, (method, path, response.status_code)
        if response.status_code == 401:
            assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("scopes", "method", "path", "needed"),
    [
        (["predict"], "GET", "/models", "models:read"),
        (["models:read"], "POST", "/models", "models:write"),
        (["models:read"], "POST", "/models/owner/sizes/predict", "predict"),
        (["predict"], "GET", "/usage", "usage:read"),
        (["predict"], "GET", "/usage/live", "usage:read"),
        (["predict"], "GET", "/jobs", "jobs:read"),
        (["predict"], "GET", "/organizations/owner/api-keys", "keys:read"),
    ],
)
async def test_a_key_does_only_what_its_scopes_say(
    owner: Caller, scopes: list[str], method: str, path: str, needed: str
) -> None:
    made = await owner.post("/organizations/owner/api-keys", json={"name": "narrow", "scopes": scopes})
    headers = {"Authorization": f"Bearer {made.json()['key']}"}
    response = await owner.request(method, path, headers=headers, json={"name": "x"} if method == "POST" else None)
    assert response.status_code == 403
    assert response.json()["required_scope"] == needed
