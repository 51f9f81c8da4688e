"""What is revoked in one process is refused in every other."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from argosy.app import create_app
from argosy.settings import Settings
from tests.support.callers import PASSWORD, Caller, sign_in


@pytest.fixture
async def elsewhere(app: FastAPI, settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """Another server on the same database."""
    other = create_app(settings)
    async with (
        other.router.lifespan_context(other),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=other), base_url="http://argosy.test") as http,
    ):
        yield http


async def test_what_is_revoked_in_one_process_is_refused_in_another(
    client: httpx2.AsyncClient, elsewhere: httpx2.AsyncClient, owner: Caller
) -> None:
    async def there(headers: dict[str, str], path: str = "/users/me") -> int:
        return (await elsewhere.get(f"/api/v1{path}", headers=headers)).status_code

    key, person = {"X-API-Key": owner.key}, {"Authorization": f"Bearer {owner.token}"}
    assert (await there(key), await there(person)) == (200, 200)
    await owner.delete(f"/organizations/owner/api-keys/{owner.key_id}")
    assert await there(key) == 401
    other = await sign_in(client, "owner")
    await client.post("/api/v1/auth/logout", headers=person)
    assert await there(person) == 401
    fresh = {"Authorization": f"Bearer {other['access_token']}"}
    assert await there(fresh) == 200, "signed by a key that the other process made or has learnt of"
    basic = httpx2.BasicAuth("owner", PASSWORD)
    assert (await elsewhere.get("/api/v1/users/me", auth=basic)).status_code == 200
    change = {"current_password": PASSWORD, "new_password": "an entirely new sentence"}
    assert (await client.post("/api/v1/auth/password", json=change, headers=fresh)).status_code == 204
    assert (await elsewhere.get("/api/v1/users/me", auth=basic)).status_code == 401
