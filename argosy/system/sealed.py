"""What is stored encrypted, and putting it under the current secret key."""

from collections.abc import Awaitable, Callable

from cryptography.fernet import InvalidToken
from sqlalchemy import select

from argosy.events.models import Event
from argosy.identity.models import SigningKey
from argosy.identity.signing import PURPOSE as SIGNING
from argosy.kit.crypto import KeyRing
from argosy.kit.db.session import Database, WriteSession
from argosy.kit.web.idempotency import PURPOSE as IDEMPOTENCY
from argosy.kit.web.idempotency import IdempotencyKey
from argosy.mail.service import MAIL_QUEUED
from argosy.mail.service import PURPOSE as MAIL

BATCH = 500


class Unreadable(RuntimeError):
    """Something stored is under a secret key that is not among the known ones."""


async def reencrypt(database: Database, keys: KeyRing) -> dict[str, int]:
    """Encrypt everything anew with the current secret key; return how much of each kind.

    It can be repeated, and a server may run meanwhile if it knows both keys. Raises `Unreadable`, changing nothing of
    that kind.
    """
    steps: dict[str, Callable[[WriteSession, KeyRing], Awaitable[int]]] = {
        "signing keys": _signing_keys,
        "kept answers": _kept_answers,
        "waiting mails": _waiting_mails,
    }
    done = {}
    for kind, step in steps.items():
        try:
            async with database.write() as session:
                done[kind] = await step(session, keys)
        except InvalidToken as error:
            raise Unreadable(f"some {kind} are under a secret key that is not known here") from error
    return done


async def _signing_keys(session: WriteSession, keys: KeyRing) -> int:
    cipher, rows = keys.cipher(SIGNING), (await session.scalars(select(SigningKey))).all()
    for row in rows:
        row.private_key = cipher.rotate(row.private_key.encode()).decode()
    return len(rows)


async def _kept_answers(session: WriteSession, keys: KeyRing) -> int:
    cipher, changed = keys.cipher(IDEMPOTENCY), 0
    kept = await session.stream_scalars(select(IdempotencyKey).where(IdempotencyKey.body.is_not(None)))
    async for rows in kept.partitions(BATCH):
        for row in rows:
            row.body = cipher.rotate(row.body or b"")
        changed += len(rows)
        await session.flush()
    return changed


async def _waiting_mails(session: WriteSession, keys: KeyRing) -> int:
    cipher = keys.cipher(MAIL)
    waiting = select(Event).where(Event.kind == MAIL_QUEUED, Event.next_attempt_at.is_not(None))
    rows = (await session.scalars(waiting)).all()
    for row in rows:
        row.payload = {**row.payload, "sealed": cipher.rotate(row.payload["sealed"].encode()).decode()}
    return len(rows)
