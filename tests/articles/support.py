"""What the tests of articles share."""

from typing import Any
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import delete

from argosy.identity.models import User
from argosy.kit.principal import Role
from argosy.organizations.models import Membership
from tests.support.callers import Caller

ARTICLE: dict[str, Any] = {
    "title": "How iris was trained",
    "content": "# Data\n\nFisher's measurements of *150 flowers*.",
    "tags": ["iris", "Botany"],
}


async def written(caller: Caller, **changes: Any) -> dict[str, Any]:
    """Write an article."""
    made = await caller.post("/articles", json=ARTICLE | changes)
    assert made.status_code == 201, made.text
    article: dict[str, Any] = made.json()
    return article


async def joined(app: FastAPI, host: Caller, guest: Caller, role: Role) -> None:
    """Make somebody a member of another's organization."""
    async with app.state.database.write() as session:
        member = {"organization_id": UUID(host.organization_id), "user_id": UUID(guest.user_id), "role": role}
        session.add(Membership(**member))


async def account_deleted(app: FastAPI, caller: Caller) -> None:
    """Delete an account, but not what it wrote for others."""
    async with app.state.database.write() as session:
        await session.execute(delete(User).where(User.id == UUID(caller.user_id)))


async def titles(caller: Caller, **params: Any) -> list[str]:
    """The titles of the articles that a caller finds."""
    answer = await caller.get("/articles", params=params)
    assert answer.status_code == 200, answer.text
    return [one["title"] for one in answer.json()["items"]]
