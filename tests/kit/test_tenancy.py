"""Row-level security: a query that forgot its filter shows and changes nothing of another organization."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import Connection, Select, delete, insert, select, text, update
from sqlalchemy.exc import ProgrammingError

from argosy.app import create_app
from argosy.entitlements.models import EntitlementPeriod
from argosy.jobs.models import Job
from argosy.kit.clock import now
from argosy.kit.db.base import Base
from argosy.kit.db.session import Database, ReadSession, UnitOfWork
from argosy.kit.db.tenancy import Actor, protected
from argosy.kit.principal import Role
from argosy.kit.repository import TenantRepository
from argosy.migrations import tables  # noqa: F401 - fills the metadata
from argosy.organizations.models import Membership
from argosy.products.models import Product, ProductStatus
from argosy.registry.models import Alias, AliasChange, Model, ModelVersion
from argosy.registry.repository import ModelRepository
from argosy.settings import Settings
from argosy.usage.models import OrderItemUsage
from tests.support.callers import Caller, actor, bound
from tests.support.databases import PostgresServer, on_postgresql
from tests.support.models import pushed
from tests.support.products import carded, published
from tests.support.settings import make_settings

POLICIES = dict(protected(mapper.class_ for mapper in Base.registry.mappers))


@pytest.fixture
def database(app: FastAPI) -> Database:
    found: Database = app.state.database
    return found


@pytest.fixture
async def full(database: Database, owner: Caller, stranger: Caller) -> None:
    """Both organizations have rows in every table."""
    for caller in (owner, stranger):
        await pushed(caller, "sizes")
        cached = await caller.put("/models/" + caller.username + "/sizes/response-cache", json={"enabled": False})
        assert cached.status_code == 200
        on = await caller.put(f"/models/{caller.username}/sizes/payload-logging", json={"enabled": True})
        assert on.status_code == 200
        await pushed(caller, "sizes")
        deployed = await caller.put(f"/models/{caller.username}/sizes/deployment", json={"shadow": {"version": 2}})
        assert deployed.status_code == 200
        draft = await caller.post("/articles", json={"title": "Draft", "content": "Not for everybody yet."})
        assert draft.status_code == 201
        row = {"rows": [{"width": 1, "height": 1}]}
        assert (await caller.post(f"/models/{caller.username}/sizes/predict", json=row)).status_code == 200
        made = await caller.post("/models", json={"name": "kept"}, headers={"Idempotency-Key": "k"})
        assert made.status_code == 201
        organization = f"/organizations/{caller.username}"
        client = await caller.post(f"{organization}/clients", json={"name": "c", "scopes": ["predict"]})
        invited = await caller.post(f"{organization}/invitations", json={"email": "guest@example.org"})
        assert (client.status_code, invited.status_code) == (201, 201)
        assert (await caller.patch(f"/models/{caller.username}/sizes", json={"description": "S"})).status_code == 200
        await carded(caller, f"{caller.username}/sizes")
        product = await published(caller, tags=["a"])
        ordered = await caller.post("/orders", json={"items": [{"product_id": product["id"]}]})
        assert ordered.status_code == 201
        paid = await caller.post(f"/orders/{ordered.json()['id']}/pay", json={"payment_method": "never"})
        assert paid.status_code == 202, paid.text
        given = {"organization": caller.username, "product_id": product["id"]}
        entitlement = await caller.post("/entitlements", json=given)
        assert entitlement.status_code == 201, entitlement.text
        await used(database, UUID(caller.organization_id), UUID(entitlement.json()["id"]))
        explain = {"kind": "explanation", "method": "permutation", "rows": [{"width": 1, "height": 1}], "samples": 1}
        asked = await caller.post("/jobs", json=explain | {"model": f"{caller.username}/sizes"})
        assert asked.status_code == 202, asked.text
        await succeeded(caller, asked.json()["id"])
    async with database.write() as session:  # what is on sale is seen by all
        await session.execute(update(Product).values(status=ProductStatus.DRAFT))


async def used(database: Database, organization_id: UUID, entitlement_id: UUID) -> None:
    """Keep what a first call of something bought keeps."""
    month = datetime(2026, 1, 1, tzinfo=UTC)
    period = EntitlementPeriod(organization_id=organization_id, entitlement_id=entitlement_id, period_start=month)
    item = OrderItemUsage(organization_id=organization_id, order_item_id=uuid4(), day=month.date(), calls=1, rows=1)
    async with database.write() as session:
        session.add_all([period, item])


async def succeeded(caller: Caller, job_id: str) -> None:
    for _ in range(500):
        if (await caller.get(f"/jobs/{job_id}")).json()["status"] == "succeeded":
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the job has not succeeded")


async def seen(session: ReadSession, table: str) -> set[str]:
    """The organizations whose rows of a table a session sees."""
    return {str(found) for found in await session.scalars(text(f"SELECT organization_id FROM {table}"))}


async def usage_is_counted(database: Database) -> None:
    for _ in range(500):
        async with database.read() as session:
            if all(
                [
                    len(await seen(session, table)) > 1
                    for table in ("usage_records", "audit_entries", "prediction_records", "shadow_comparisons")
                ]
            ):
                return
        await asyncio.sleep(0.02)
    raise AssertionError("the usage was not counted")


# What the database holds


@on_postgresql
async def test_every_table_shows_its_organizations_rows_only(
    database: Database, owner: Caller, stranger: Caller, full: None
) -> None:
    await usage_is_counted(database)
    async with database.read() as system, UnitOfWork(database) as work, UnitOfWork(database) as unbound:
        mine, nobodys = await bound(work, owner), await unbound.read()
        for table in POLICIES:
            assert {owner.organization_id, stranger.organization_id} <= await seen(system, table), table
            assert await seen(mine, table) == {owner.organization_id}, table
            assert await seen(nobodys, table) == set(), table


@on_postgresql
@pytest.mark.parametrize("by_id", [False, True])
async def test_nothing_of_another_organization_is_changed(
    database: Database, owner: Caller, stranger: Caller, by_id: bool
) -> None:
    theirs = (await stranger.post("/models", json={"name": "theirs"})).json()["id"]
    condition = Model.id == UUID(theirs) if by_id else Model.organization_id != UUID(owner.organization_id)
    async with UnitOfWork(database) as work:
        session = await bound(work, owner)
        for statement in (
            update(Model).where(condition).values(description="mine").returning(Model.id),
            delete(Model).where(condition).returning(Model.id),
            text("UPDATE models SET description = 'mine' RETURNING id"),
            text("DELETE FROM models RETURNING id"),
        ):
            assert (await session.execute(statement)).all() == []
    async with UnitOfWork(database) as work:
        for statement in (text("UPDATE models SET name = 'x' RETURNING id"), text("DELETE FROM models RETURNING id")):
            assert (await (await work.write()).execute(statement)).all() == []
    assert (await stranger.get("/models/stranger/theirs")).json()["description"] is None


@on_postgresql
async def test_a_row_cannot_be_given_to_another_organization(
    database: Database, owner: Caller, stranger: Caller
) -> None:
    await owner.post("/models", json={"name": "mine"})
    given = Membership(organization_id=UUID(stranger.organization_id), user_id=UUID(owner.user_id), role=Role.OWNER)
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with UnitOfWork(database) as work:
            (await bound(work, owner)).add(given)
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with UnitOfWork(database) as work:
            await (await bound(work, owner)).execute(update(Model).values(organization_id=stranger.organization_id))
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with UnitOfWork(database) as work:
            values = {"organization_id": UUID(owner.organization_id), "kind": "k", "payload": {}}
            await (await work.write()).execute(insert(Job).values(values))


@on_postgresql
async def test_a_public_model_is_read_and_not_changed(database: Database, owner: Caller, stranger: Caller) -> None:
    await pushed(stranger)
    await stranger.patch("/models/stranger/sizes", json={"visibility": "public"})
    async with UnitOfWork(database) as work:
        session = await bound(work, owner)
        for kind in (Model, ModelVersion, Alias, AliasChange):
            assert len((await session.scalars(select(kind))).all()) == 1, kind
            touched = update(kind).values(updated_at=now()).returning(kind.id)
            assert (await session.execute(touched)).all() == [], kind
            assert (await session.execute(delete(kind).returning(kind.id))).all() == [], kind
    async with UnitOfWork(database) as work:
        for kind in (Model, ModelVersion, Alias, AliasChange):
            assert (await (await work.read()).scalars(select(kind))).all() == []


@on_postgresql
async def test_a_person_sees_their_memberships_and_a_key_does_not(database: Database, owner: Caller) -> None:
    await owner.post("/organizations", json={"slug": "team", "name": "Team"})
    for who, expected in ((actor(owner), 2), (Actor.member(UUID(owner.organization_id)), 1)):
        async with UnitOfWork(database) as work:
            await work.act_as(who)
            session = await work.write()
            assert len((await session.scalars(select(Membership))).all()) == expected
            changed = update(Membership).values(role=Role.VIEWER).returning(Membership.organization_id)
            assert [str(found) for found in await session.scalars(changed)] == [owner.organization_id]
            await session.rollback()


# What a request sees when its filter is forgotten


def unfiltered(self: TenantRepository[Any], _principal: object) -> Select[Any]:
    return self._joined() if isinstance(self, ModelRepository) else select(self.model)


async def test_a_forgotten_filter_shows_nothing(
    app: FastAPI, owner: Caller, stranger: Caller, full: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for repository in (TenantRepository, ModelRepository):
        monkeypatch.setattr(repository, "readable_by", unfiltered)
        monkeypatch.setattr(repository, "writable_by", unfiltered)
    # SQLite shows that the filter is gone indeed.
    exposed = app.state.database.dialect == "sqlite"
    row = {"rows": [{"width": 1, "height": 1}]}
    job = (await owner.get("/jobs")).json()["items"][0]["id"]
    for key in (stranger.token, stranger.key):
        headers = {"Authorization": f"Bearer {key}"}
        shown = [
            await stranger.get("/models/owner/sizes", headers=headers),
            await stranger.get("/models/owner/sizes/versions", headers=headers),
            await stranger.get("/models/owner/sizes/versions/1/artifact", headers=headers),
            await stranger.post("/models/owner/sizes/predict", json=row, headers=headers),
        ]
        assert {one.status_code for one in shown} == {200 if exposed else 404}
        assert ("owner/sizes" in (await stranger.get("/models", headers=headers)).text) is exposed
        described = await stranger.http.get("/openapi.json", headers=headers)
        assert ("owner/sizes" in described.text) is exposed
    assert ((await stranger.get("/jobs")).json()["total"] > 3) is exposed
    assert (await stranger.get(f"/jobs/{job}")).status_code == (200 if exposed else 404)
    assert ((await stranger.get("/organizations/stranger/members")).json()["total"] > 1) is exposed
    assert ((await stranger.get("/organizations/stranger/api-keys")).json()["total"] > 1) is exposed
    revoked = await stranger.delete(f"/organizations/stranger/api-keys/{owner.key_id}")
    assert revoked.status_code == (204 if exposed else 404)


# That it is in force


def policies(connection: Connection, name: str) -> dict[tuple[str, str], tuple[Any, ...]]:
    """The policies whose names begin with a text, by table and the rest of the name."""
    found = text(
        "SELECT tablename, policyname, permissive, roles, cmd, qual, with_check FROM pg_policies "
        "WHERE schemaname = 'public' AND starts_with(policyname, :name)"
    )
    return {(row[0], row[1].removeprefix(name)): tuple(row[2:]) for row in connection.execute(found, {"name": name})}


def declared(connection: Connection) -> dict[tuple[str, str], tuple[Any, ...]]:
    """The policies that the models declare, as PostgreSQL writes them."""
    for table, policy in POLICIES.items():
        made = [f"declared_own ON {table} USING ({policy.own}) WITH CHECK ({policy.own})"]
        if policy.also_read:
            made.append(f"declared_also_read ON {table} FOR SELECT USING ({policy.also_read})")
        if policy.also_insert:
            made.append(f"declared_also_insert ON {table} FOR INSERT WITH CHECK ({policy.also_insert})")
        for statement in made:
            connection.execute(text(f"CREATE POLICY {statement}"))
    return policies(connection, "declared_")


@on_postgresql
async def test_every_policy_that_is_declared_is_in_the_database(settings: Settings) -> None:
    """A new table of an organization needs `protect` in its migration. No server runs: it would meet the locks."""
    database = Database(settings.database_url, settings.database)
    forced = text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relrowsecurity AND relforcerowsecurity")
    async with database.connection() as connection:
        there = await connection.run_sync(policies, "")
        assert there == await connection.run_sync(declared)
        assert set(await connection.scalars(forced)) == set(POLICIES)
        await connection.rollback()
    await database.dispose()


def test_every_table_with_an_organization_has_a_policy() -> None:
    assert {table.name for table in Base.metadata.tables.values() if "organization_id" in table.c} == set(POLICIES)


@on_postgresql
async def test_policies_use_the_index(database: Database, owner: Caller) -> None:
    async with UnitOfWork(database) as work:
        session = await bound(work, owner)
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(await session.scalars(text("EXPLAIN SELECT * FROM jobs")))
    assert "ix_jobs_organization_id" in plan
    assert "Index Cond: ((organization_id >= " in plan


@pytest.mark.postgres
async def test_a_role_that_bypasses_it_is_warned_about(
    postgres: PostgresServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = postgres.copy()
    for url, warned in ((postgres.url(name), False), (postgres.superuser_url(name), True)):
        app = create_app(make_settings(tmp_path / "data", url))
        async with app.router.lifespan_context(app):
            pass
        assert ("row_level_security_bypassed" in capsys.readouterr().err) is warned
    postgres.drop(name)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_each_statement_is_planned_for_its_own_parameters(database: Database) -> None:
    """A plan for any parameters suits a rare tag or a common one, and PostgreSQL would take one after some runs."""
    async with database.read() as reading, database.write() as writing:
        for session in (reading, writing):
            assert await session.scalar(text("SHOW plan_cache_mode")) == "force_custom_plan"
