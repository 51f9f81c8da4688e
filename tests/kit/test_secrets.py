"""The secret key: made once, renewed without losing what it protects, and never shown."""

import stat
from pathlib import Path

import httpx2
import pytest
from cryptography.fernet import InvalidToken
from fastapi import FastAPI

from argosy.app import create_app
from argosy.kit.crypto import forget_former_secrets, key_ring, renew_secret
from argosy.settings import SecuritySettings, Settings
from argosy.system.sealed import Unreadable, reencrypt
from tests.support.callers import Caller
from tests.support.mail import idle


def test_a_former_key_decrypts_until_it_is_forgotten(tmp_path: Path) -> None:
    settings = SecuritySettings()
    sealed = key_ring(tmp_path, settings).cipher("x").encrypt(b"kept")
    renew_secret(tmp_path)
    renew_secret(tmp_path)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ring = key_ring(tmp_path, settings)
    assert ring.cipher("x").decrypt(sealed) == b"kept"
    with pytest.raises(InvalidToken):
        ring.cipher("y").decrypt(sealed)
    renewed = ring.cipher("x").rotate(sealed)
    forget_former_secrets(tmp_path)
    assert key_ring(tmp_path, settings).cipher("x").decrypt(renewed) == b"kept"
    with pytest.raises(InvalidToken):
        key_ring(tmp_path, settings).cipher("x").decrypt(sealed)


async def test_everything_stored_is_put_under_the_new_key(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller, settings: Settings
) -> None:
    headers = {"Idempotency-Key": "once"}
    body = {"name": "k", "scopes": ["predict"]}
    made = await owner.post("/organizations/owner/api-keys", json=body, headers=headers)
    await idle(app)
    folder = settings.data.dir / "secrets"
    renew_secret(folder)
    done = await reencrypt(app.state.database, key_ring(folder, settings.security))
    assert done["signing keys"] == 1
    assert done["kept answers"] == 1
    forget_former_secrets(folder)
    restarted = create_app(settings)
    async with (
        restarted.router.lifespan_context(restarted),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=restarted), base_url="http://argosy.test") as http,
    ):
        bearer = {"Authorization": f"Bearer {owner.token}"}
        assert (await http.get("/api/v1/users/me", headers=bearer)).status_code == 200, "tokens outlast the change"
        again = await http.post("/api/v1/organizations/owner/api-keys", json=body, headers={**bearer, **headers})
        assert again.json() == made.json()


async def test_a_key_that_is_missing_is_told_and_changes_nothing(app: FastAPI, settings: Settings) -> None:
    folder = settings.data.dir / "secrets"
    renew_secret(folder)
    forget_former_secrets(folder)
    with pytest.raises(Unreadable, match="signing keys"):
        await reencrypt(app.state.database, key_ring(folder, settings.security))
