"""What is out of date is cleared by the server itself, in every round."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from argosy import app as application
from argosy.kit.clock import now
from argosy.kit.web.idempotency import KEEP, IdempotencyKey
from tests.support.callers import Caller


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "MAINTENANCE_AFTER", 0.0)
    monkeypatch.setattr(application, "MAINTENANCE_INTERVAL", 0.05)


async def test_what_is_too_old_is_forgotten_while_the_server_runs(quick: None, app: FastAPI, owner: Caller) -> None:
    organization, person = UUID(owner.organization_id), UUID(owner.user_id)
    for _ in range(2):
        async with app.state.database.write() as session:
            for name, age in (("old", KEEP + timedelta(seconds=1)), ("recent", KEEP - timedelta(minutes=1))):
                await session.merge(
                    IdempotencyKey(
                        organization_id=organization,
                        principal_id=person,
                        key=name,
                        fingerprint="",
                        created_at=now() - age,
                    )
                )
        async with asyncio.timeout(20):
            while (kept := await kept_keys(app)) != ["recent"]:
                assert "recent" in kept
                await asyncio.sleep(0.05)


async def kept_keys(app: FastAPI) -> list[str]:
    async with app.state.database.read() as session:
        return sorted(await session.scalars(select(IdempotencyKey.key)))
