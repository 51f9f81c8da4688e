"""The keys that sign access tokens: made, kept encrypted, rotated, and published without their private part."""

import json
import secrets
import time
from datetime import timedelta

from joserfc.jwk import ECKey

from argosy.events.service import record
from argosy.identity.credential_repository import SigningKeyRepository
from argosy.identity.models import SigningKey
from argosy.kit.clock import now
from argosy.kit.crypto import KeyRing
from argosy.kit.db.session import Database, WriteSession
from argosy.kit.logs import get_logger

ALGORITHM = "ES256"
CURVE = "P-256"
RELOAD_SECONDS = 1.0
PURPOSE = "signing-keys"
log = get_logger(__name__)


class SigningKeys:
    """The keys of an installation, as one process knows them.

    A former key verifies for as long as the last token it signed lasts.
    """

    def __init__(
        self, database: Database, keys: KeyRing, *, rotate_after: timedelta, token_lifetime: timedelta
    ) -> None:
        self._database = database
        self._cipher = keys.cipher(PURPOSE)
        self._rotate_after = rotate_after
        self._token_lifetime = token_lifetime
        self._keys: dict[str, ECKey] = {}
        self._current: ECKey | None = None
        self._loaded_at = float("-inf")

    @property
    def current(self) -> ECKey:
        """The key that signs."""
        if self._current is None:
            raise RuntimeError("the signing keys are not loaded: the application has not been started")
        return self._current

    def find(self, key_id: str) -> ECKey | None:
        """Return a key that verifies, by its id."""
        return self._keys.get(key_id)

    async def refresh(self) -> None:
        """Learn of keys that another process made; asked often, it looks once a second."""
        if time.monotonic() - self._loaded_at >= RELOAD_SECONDS:
            await self._load()

    async def keep_fresh(self) -> None:
        """Make the first key, and a new one when the current one is old."""
        async with self._database.write() as session:
            repository = SigningKeyRepository(session)
            await repository.forget_expired()
            signing = [key for key in await repository.usable() if key.verify_until is None]
            if not signing or signing[0].created_at < now() - self._rotate_after:
                await self._renew(session)
        await self._load()

    async def rotate(self) -> None:
        """Sign with a new key from now on."""
        async with self._database.write() as session:
            await self._renew(session)
        await self._load()

    def public(self) -> dict[str, list[dict[str, str]]]:
        """Return the keys that verify, as a JWK Set (RFC 7517)."""
        return {"keys": [{**_public(key), "use": "sig", "alg": ALGORITHM} for key in self._keys.values()]}

    async def _renew(self, session: WriteSession) -> None:
        repository = SigningKeyRepository(session)
        key = ECKey.generate_key(CURVE, {"kid": secrets.token_urlsafe(12)})
        sealed = self._cipher.encrypt(json.dumps(key.as_dict(private=True)).encode()).decode()
        key_id = str(key.kid)
        await repository.add(SigningKey(id=key_id, private_key=sealed, public_key=dict(_public(key))))
        # Tokens that another process signs before it learns of the new key must verify too.
        await repository.retire(now() + self._token_lifetime * 2, but=key_id)
        record(session, "signing_key.created", key_id)

    async def _load(self) -> None:
        async with self._database.read() as session:
            rows = await SigningKeyRepository(session).usable()
        keys = {row.id: ECKey.import_key(json.loads(self._cipher.decrypt(row.private_key.encode()))) for row in rows}
        signing = [row.id for row in rows if row.verify_until is None]
        self._keys, self._current = keys, keys[signing[0]]
        self._loaded_at = time.monotonic()


def _public(key: ECKey) -> dict[str, str]:
    return {name: str(value) for name, value in key.as_dict(private=False).items()}
