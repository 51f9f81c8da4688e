"""Metrics: for whoever holds the scope, by route, telling of no tenant."""

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from argosy.identity.models import User
from tests.support.callers import Caller

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_metrics_are_for_whom_a_platform_administrator_lets(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, stranger: Caller
) -> None:
    assert (await client.get("/metrics")).status_code == 401
    assert (await client.get("/metrics", headers={"X-API-Key": stranger.key})).status_code == 403
    async with app.state.database.write() as session:
        await session.execute(update(User).where(User.username == "owner").values(is_admin=True))
    service = {"name": "prometheus", "scopes": ["metrics:read"]}
    made = (await owner.post("/organizations/owner/clients", json=service)).json()
    await owner.get("/models/owner/secret-name")
    scraped = await client.get("/metrics", auth=(made["client_id"], made["client_secret"]))
    assert scraped.status_code == 200
    assert 'argosy_requests_total{method="GET",route="/models/{org}/{name}",status="404"} 1.0' in scraped.text
    assert "argosy_request_seconds_bucket" in scraped.text
    for private in ("owner", "stranger", "secret-name", owner.organization_id, owner.user_id):
        assert private not in scraped.text
