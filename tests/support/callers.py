"""Who calls the API in a test."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2

from argosy.kit.db.session import UnitOfWork, WriteSession
from argosy.kit.db.tenancy import Actor

PASSWORD = "correct horse battery staple"
ALL_SCOPES = [
    "models:read",
    "models:write",
    "predict",
    "articles:read",
    "articles:write",
    "usage:read",
    "jobs:read",
    "jobs:write",
    "organization:read",
    "keys:read",
]


@dataclass
class Caller:
    """An account with a token and an API key; calls are made with the token."""

    http: httpx2.AsyncClient
    username: str
    user_id: str
    organization_id: str
    token: str
    refresh_token: str
    key: str
    key_id: str

    async def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.token}"} | dict(options.pop("headers", {}))
        url = path if path.startswith(("/v1/", "/v2", "/metrics")) else f"/api/v1{path}"
        return await self.http.request(method, url, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> httpx2.Response:
        return await self.request("POST", path, **options)

    async def patch(self, path: str, **options: Any) -> httpx2.Response:
        return await self.request("PATCH", path, **options)

    async def put(self, path: str, **options: Any) -> httpx2.Response:
        return await self.request("PUT", path, **options)

    async def delete(self, path: str, **options: Any) -> httpx2.Response:
        return await self.request("DELETE", path, **options)


async def sign_in(http: httpx2.AsyncClient, username: str, password: str = PASSWORD) -> dict[str, Any]:
    form = {"grant_type": "password", "username": username, "password": password}
    response = await http.post("/api/v1/auth/token", data=form)
    assert response.status_code == 200, response.text
    tokens: dict[str, Any] = response.json()
    return tokens


async def register(http: httpx2.AsyncClient, username: str) -> Caller:
    account = {"email": f"{username}@example.org", "username": username, "password": PASSWORD}
    response = await http.post("/api/v1/auth/register", json=account)
    assert response.status_code == 201, response.text
    user = response.json()
    tokens = await sign_in(http, username)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    made = await http.post(
        f"/api/v1/organizations/{username}/api-keys", json={"name": "tests", "scopes": ALL_SCOPES}, headers=bearer
    )
    assert made.status_code == 201, made.text
    return Caller(
        http=http,
        username=username,
        user_id=user["id"],
        organization_id=user["organization"]["id"],
        token=tokens["access_token"],
        refresh_token=tokens["refresh_token"],
        key=made.json()["key"],
        key_id=made.json()["id"],
    )


def actor(caller: Caller) -> Actor:
    """Whom a caller's requests act for."""
    return Actor.member(UUID(caller.organization_id), UUID(caller.user_id))


async def bound(work: UnitOfWork, caller: Caller) -> WriteSession:
    """A session as a caller's request has it."""
    await work.act_as(actor(caller))
    return await work.write()
