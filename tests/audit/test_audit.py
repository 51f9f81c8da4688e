"""The audit log: everything of note, by whom, when and from where; and nobody changes it unnoticed."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2
from fastapi import FastAPI
from sqlalchemy import text, update

from argosy.identity.models import User
from argosy.kit.principal import Role
from argosy.organizations.models import Membership
from tests.support.callers import PASSWORD, Caller, sign_in
from tests.support.mail import idle
from tests.support.models import pushed

LOG = "/organizations/owner/audit"
EXPECTED = {
    "user.registered", "organization.created", "organization.updated", "sign_in.succeeded", "sign_in.failed",
    "user.password_changed", "user.email_change_requested", "session.ended", "api_key.created", "api_key.rotated",
    "api_key.revoked", "client.created", "client.rotated", "client.revoked", "client.token_issued", "member.invited",
    "model.created", "model.updated", "model.deleted", "alias.moved", "authorization.denied",
}  # fmt: skip


async def walk(client: httpx2.AsyncClient, owner: Caller) -> list[str]:
    """Do everything once; return the secrets that came by."""
    organization = "/organizations/owner"
    await owner.patch(organization, json={"name": "Renamed"})
    key = (await owner.post(f"{organization}/api-keys", json={"name": "k", "scopes": ["predict"]})).json()
    rotated = (await owner.post(f"{organization}/api-keys/{key['id']}/rotate", json={})).json()
    denied = await owner.get("/models", headers={"Authorization": f"Bearer {rotated['key']}"})
    assert denied.status_code == 403
    await owner.delete(f"{organization}/api-keys/{key['id']}")
    service = (await owner.post(f"{organization}/clients", json={"name": "c", "scopes": ["predict"]})).json()
    path = f"{organization}/clients/{service['client_id']}"
    replaced = (await owner.post(f"{path}/rotate", json={})).json()
    form = {"grant_type": "client_credentials", **{name: replaced[name] for name in ("client_id", "client_secret")}}
    access = (await client.post("/api/v1/auth/token", data=form)).json()["access_token"]
    await owner.delete(path)
    await owner.post(f"{organization}/invitations", json={"email": "guest@example.org"})
    await pushed(owner)
    await owner.patch("/models/owner/sizes", json={"description": "changed"})
    await owner.delete("/models/owner/sizes")
    await client.post(
        "/api/v1/auth/token", data={"grant_type": "password", "username": "owner", "password": "not the right one"}
    )
    await owner.post("/auth/email", json={"email": "new@example.org", "password": PASSWORD})
    changed = {"current_password": PASSWORD, "new_password": "an entirely new sentence"}
    assert (await owner.post("/auth/password", json=changed)).status_code == 204
    other = await sign_in(client, "owner", "an entirely new sentence")
    bearer = {"Authorization": f"Bearer {other['access_token']}"}
    await client.post("/api/v1/auth/logout", headers=bearer)
    return [
        key["key"], rotated["key"], service["client_secret"], replaced["client_secret"], access, owner.token,
        other["refresh_token"], PASSWORD, "an entirely new sentence", "not the right one",
    ]  # fmt: skip


async def test_everything_of_note_is_recorded_and_no_secret_is(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    secrets = await walk(client, owner)
    await idle(app)
    listed = await owner.get(LOG, params={"size": 200})
    entries = listed.json()["items"]
    assert {entry["action"] for entry in entries} >= EXPECTED
    assert not [secret for secret in secrets if secret in listed.text]
    created = next(entry for entry in entries if entry["action"] == "api_key.created")
    assert (created["actor_kind"], created["actor_id"], created["address"]) == ("user", owner.user_id, "127.0.0.1")
    assert created["request_id"]
    assert created["user_agent"].startswith("python-httpx2/")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(created["at"])).total_seconds()) < 120
    denied = next(entry for entry in entries if entry["action"] == "authorization.denied")
    assert (denied["actor_kind"], denied["details"]["required_scope"]) == ("api_key", "models:read")
    assert (await owner.get(f"{LOG}/verify")).json()["intact"] is True


async def test_the_log_is_filtered_paged_and_for_administrators(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    for number in range(5):
        await owner.patch("/organizations/owner", json={"name": f"N{number}"})
    await idle(app)
    found = (await owner.get(LOG, params={"action": "organization.updated", "sort": "sequence"})).json()
    assert found["total"] == 5
    sequences = [entry["sequence"] for entry in found["items"]]
    assert sequences == sorted(sequences)
    since = found["items"][2]["at"]
    later = await owner.get(LOG, params={"action": "organization.updated", "since": since})
    earlier = await owner.get(LOG, params={"action": "organization.updated", "until": since})
    assert (later.json()["total"], earlier.json()["total"]) == (3, 2)
    assert (await owner.get(LOG, params={"actor_id": stranger.user_id})).json()["total"] == 0
    pages = 0
    cursor: str | None = ""
    while cursor is not None:
        page = (await owner.get(LOG, params={"cursor": cursor, "size": 3})).json()
        pages, cursor = pages + 1, page["next_cursor"]
    assert pages >= 3
    assert (await stranger.get(LOG)).status_code == 404
    assert (await stranger.get(f"{LOG}/export")).status_code == 404
    assert (await owner.get("/audit")).status_code == 403, "the platform's is for its administrators"
    async with app.state.database.write() as session:
        organization_id, user_id = UUID(owner.organization_id), UUID(stranger.user_id)
        session.add(Membership(organization_id=organization_id, user_id=user_id, role=Role.DEVELOPER))
        await session.execute(update(User).where(User.username == "owner").values(is_admin=True))
    assert (await stranger.get(LOG)).status_code == 403
    platform = await owner.get("/audit", params={"size": 200})
    assert "signing_key.created" in {entry["action"] for entry in platform.json()["items"]}
    assert (await owner.get("/audit/verify")).json()["intact"] is True


async def test_tampering_is_detected_and_located(app: FastAPI, owner: Caller) -> None:
    for number in range(6):
        await owner.patch("/organizations/owner", json={"name": f"N{number}"})
    await idle(app)
    whole = (await owner.get(f"{LOG}/verify")).json()
    assert whole["intact"]
    own = UUID(owner.organization_id)
    mine = f"organization_id = '{own.hex if app.state.database.dialect == 'sqlite' else own}'"
    kept = "CREATE TABLE kept AS SELECT * FROM audit_entries"
    async with app.state.database.write() as session:
        await session.execute(text(kept))
    for statement, broken_at in (
        (f"UPDATE audit_entries SET subject = 'other' WHERE sequence = 3 AND {mine}", 3),
        (f"UPDATE audit_entries SET details = '[1]' WHERE sequence = 1 AND {mine}", 1),
        (f"UPDATE audit_entries SET actor_id = NULL WHERE sequence = 6 AND {mine}", 6),
        (f"DELETE FROM audit_entries WHERE sequence = 4 AND {mine}", 4),
        (f"DELETE FROM audit_entries WHERE sequence = {whole['entries']} AND {mine}", whole["entries"]),
        (f"UPDATE audit_entries SET sequence = sequence + 1000 WHERE sequence = 2 AND {mine}", 2),
    ):
        async with app.state.database.write() as session:
            await session.execute(text(statement))
        told = (await owner.get(f"{LOG}/verify")).json()
        assert (told["intact"], told["broken_at"]) == (False, broken_at), statement
        async with app.state.database.write() as session:
            await session.execute(text("DELETE FROM audit_entries"))
            await session.execute(text("INSERT INTO audit_entries SELECT * FROM kept"))
    assert (await owner.get(f"{LOG}/verify")).json() == whole


def recompute(entry: dict[str, Any], organization_id: str) -> str:
    """The hash of an exported entry, as the operations page says: SHA-256 of its canonical JSON."""
    content = {
        "chain": organization_id,
        "sequence": entry["sequence"],
        "id": entry["id"],
        "at": datetime.fromisoformat(entry["at"]).astimezone(UTC).isoformat(),
        "action": entry["action"],
        "subject": entry["subject"],
        "actor": [entry["actor_kind"], entry["actor_id"]],
        "from": [entry["address"], entry["user_agent"], entry["request_id"]],
        "details": entry["details"],
        "previous_hash": entry["previous_hash"],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


async def test_an_export_can_be_verified_elsewhere(app: FastAPI, owner: Caller) -> None:
    await owner.post("/organizations/owner/api-keys", json={"name": "ünïcode ✓", "scopes": ["predict"]})
    await idle(app)
    exported = await owner.get(f"{LOG}/export")
    assert exported.headers["content-disposition"].startswith('attachment; filename="audit-')
    assert exported.headers["content-type"].startswith("application/jsonl")
    previous = "0" * 64
    entries = [json.loads(line) for line in exported.text.splitlines()]
    assert [entry["sequence"] for entry in entries] == list(range(1, len(entries) + 1))
    for entry in entries:
        assert entry["previous_hash"] == previous
        assert recompute(entry, owner.organization_id) == entry["hash"]
        previous = entry["hash"]
    assert previous == (await owner.get(f"{LOG}/verify")).json()["head"]


async def test_writers_at_once_make_one_chain(app: FastAPI, owner: Caller) -> None:
    from argosy.audit.service import append  # noqa: PLC0415
    from argosy.events.dispatcher import EVERY, Consumer, Dispatcher  # noqa: PLC0415

    body = {"name": "k", "scopes": ["predict"]}
    made = await asyncio.gather(*(owner.post("/organizations/owner/api-keys", json=body) for _ in range(20)))
    assert {answer.status_code for answer in made} == {201}
    consumer = Consumer("audit.append", EVERY, append)
    others = [Dispatcher(app.state.database, (consumer,)) for _ in range(2)]
    await asyncio.gather(*(other.dispatch_due() for other in others))
    await idle(app)
    verified = (await owner.get(f"{LOG}/verify")).json()
    assert verified["intact"]
    recorded = await owner.get(LOG, params={"action": "api_key.created"})
    assert recorded.json()["total"] == 21, "each once, and the fixture's"
