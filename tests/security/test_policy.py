"""The policy table, walked whole: every operation of the document, for every role, as a person and with a key."""

import re
from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from argosy.identity.models import User
from argosy.kit.db.session import Database
from argosy.kit.policy import DELEGABLE_SCOPES, PLATFORM_SCOPES, POLICY, RANK, ROLE_SCOPES
from argosy.kit.principal import Role, Scope
from argosy.organizations.models import Membership
from tests.registry.test_tenancy import CATALOGUE, OPEN, routes
from tests.support.callers import Caller, register

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
# Anybody who is signed in may ask these: about themselves, about a token they hold, or for one of their own.
FOR_EVERY_CALLER = {
    ("GET", "/api/v1/users/me"),
    ("POST", "/api/v1/auth/introspect"),
    ("POST", "/api/v1/auth/revoke"),
}


def scope_of(app: FastAPI, method: str, path: str) -> Scope | None:
    """The scope that the document says an operation needs."""
    for requirement in app.openapi()["paths"][path][method.lower()].get("security", []):
        if requirement.get("OAuth2"):
            (name,) = requirement["OAuth2"]
            return Scope(name)
    return None


@pytest.fixture
async def people(app: FastAPI, client: httpx2.AsyncClient) -> dict[str, Caller]:
    """One member of the organization `firm` for each role, and a platform administrator who is a viewer there."""
    callers: dict[str, Caller] = {role.value: await register(client, f"the-{role}") for role in RANK}
    callers["platform"] = await register(client, "the-platform")
    made = await callers["owner"].post("/organizations", json={"slug": "firm", "name": "Firm"})
    database: Database = app.state.database
    async with database.write() as session:
        for name, caller in callers.items():
            if name != "owner":
                role = Role.VIEWER if name == "platform" else Role(name)
                organization_id = UUID(made.json()["id"])
                session.add(Membership(organization_id=organization_id, user_id=UUID(caller.user_id), role=role))
        await session.execute(update(User).where(User.username == "the-platform").values(is_admin=True))
    return callers


def held_by(name: str) -> frozenset[Scope]:
    return ROLE_SCOPES[Role.VIEWER] | PLATFORM_SCOPES if name == "platform" else ROLE_SCOPES[Role(name)]


async def denied(caller: Caller, method: str, path: str, headers: dict[str, str]) -> str | None:
    """Call an operation about things that are not there; return the scope it was denied for."""
    filled = re.sub(r"{(\w+)}", lambda match: "firm" if match.group(1) == "org" else "0" * 32, path)
    options: dict[str, Any] = {"json": {}} if method in {"POST", "PUT", "PATCH"} else {}
    if path.endswith(("/token", "/revoke", "/introspect")):
        options = {"data": {"token": "x"}}
    response = await caller.request(method, filled.removeprefix("/api/v1"), headers=headers, **options)
    assert response.status_code != 401, (method, path, response.text)
    if response.status_code == 403:
        return str(response.json().get("required_scope"))
    return None


@on_sqlite
async def test_every_operation_names_its_scope(app: FastAPI) -> None:
    for method, path in routes(app):
        if path not in OPEN and (method, path) not in FOR_EVERY_CALLER | CATALOGUE:
            assert scope_of(app, method, path) is not None, (method, path)


@on_sqlite
async def test_each_role_does_what_the_table_says_and_nothing_else(app: FastAPI, people: dict[str, Caller]) -> None:
    walked = 0
    for method, path in routes(app):
        needed = scope_of(app, method, path)
        if (
            needed is None
            or path.endswith(("/logout", "/leave", "/predict", "/usage/live"))
            or (method, path)
            in {
                ("DELETE", "/api/v1/organizations/{org}"),
                ("PATCH", "/api/v1/organizations/{org}"),
            }
        ):
            continue
        for name, caller in people.items():
            refusal = await denied(caller, method, path, {"X-Organization": "firm"})
            expected = None if needed in held_by(name) else needed.value
            assert refusal == expected, (method, path, name)
            walked += 1
    assert walked >= 5 * 45
    for name, caller in people.items():
        answer = await caller.patch("/organizations/firm", json={}, headers={"X-Organization": "firm"})
        assert (answer.status_code == 403) is (Scope.ORGANIZATION_WRITE not in held_by(name))
        predicted = await caller.post("/models/firm/x/predict", json={}, headers={"X-Organization": "firm"})
        assert predicted.status_code == 404
    for name in ("viewer", "developer", "admin", "platform"):
        gone = await people[name].delete("/organizations/firm", headers={"X-Organization": "firm"})
        assert gone.status_code == 403, name
    assert (await people["owner"].delete("/organizations/firm")).status_code == 204


@on_sqlite
async def test_a_key_holds_what_can_be_delegated_and_its_maker_holds(people: dict[str, Caller]) -> None:
    for rule in POLICY:
        for name in ("owner", "admin", "platform"):
            body = {"name": "k", "scopes": [rule.scope.value]}
            made = await people[name].post(
                "/organizations/firm/api-keys", json=body, headers={"X-Organization": "firm"}
            )
            may = name != "platform" and rule.scope in DELEGABLE_SCOPES & held_by(name)
            assert made.status_code == (201 if may else 403), (rule.scope, name, made.text)


def test_each_role_holds_what_the_one_below_holds() -> None:
    assert [rule.scope for rule in POLICY] == list(Scope)
    for lower, higher in pairwise(RANK):
        assert ROLE_SCOPES[lower] < ROLE_SCOPES[higher]
    assert not PLATFORM_SCOPES & ROLE_SCOPES[Role.OWNER]
