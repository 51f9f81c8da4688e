"""Idempotency-Key on creating calls: the first answer is kept with its effect, in one transaction, and replayed.

A key belongs to a caller and is kept for at least 24 hours. Because the key is inserted in the effect's own
transaction, a second call with the same key waits for the first to end and then either replays it or, if the first
failed, runs for the first time. Kept answers can hold a new secret, so they are encrypted.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, ClassVar
from uuid import UUID

from cryptography.fernet import MultiFernet
from fastapi import Depends, Header, Request
from sqlalchemy import ColumnElement, LargeBinary, Table, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column
from starlette.responses import Response

from argosy.kit.clock import now
from argosy.kit.db import dialects
from argosy.kit.db.base import Base
from argosy.kit.db.session import WriteSession
from argosy.kit.db.tenancy import RowPolicy
from argosy.kit.errors import ArgosyError
from argosy.kit.principal import Principal
from argosy.kit.web.security import current_principal
from argosy.kit.web.sessions import Write

PURPOSE = "idempotency"
KEEP = timedelta(hours=48)
_KEPT_HEADERS = ("content-type", "etag", "location")


class IdempotencyKeyReused(ArgosyError):
    """The same Idempotency-Key came with another request."""

    status, type, title = 422, "idempotency-key-reused", "Idempotency-Key was used for another request"


class IdempotencyKey(Base):
    """A key, the fingerprint of its request and the answer it got."""

    __tablename__ = "idempotency_keys"
    __row_policy__: ClassVar[RowPolicy] = RowPolicy()

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    principal_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    status: Mapped[int | None]
    headers: Mapped[list[str] | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)


class Replay(Exception):
    """Raised to answer with a kept response instead of running the handler."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


@dataclass(slots=True)
class Idempotency:
    """The Idempotency-Key of one request, if it has one."""

    key: str | None
    request: Request
    principal: Principal
    session: WriteSession

    async def begin(self, fingerprint: bytes) -> None:
        """Take the key for this request, or raise `Replay` with the kept answer.

        Raises `IdempotencyKeyReused` when the key was used with another method, path or fingerprint.
        """
        if self.key is None:
            return
        digest = hashlib.sha256(f"{self.request.method} {self.request.url.path}\n".encode() + fingerprint).hexdigest()
        table = IdempotencyKey.__table__
        assert isinstance(table, Table)  # noqa: S101 - what SQLAlchemy types as FromClause
        row = {
            "organization_id": self.principal.organization_id,
            "principal_id": self.principal.id,
            "key": self.key,
            "fingerprint": digest,
            "created_at": now(),
        }
        taken = await self.session.execute(
            dialects.insert(self.session.dialect, table).values(row).on_conflict_do_nothing().returning(table.c.key)
        )
        if taken.scalar_one_or_none() is not None:
            self.request.state.idempotency = self
            return
        kept = (await self.session.scalars(select(IdempotencyKey).where(*self._mine()))).one()
        if kept.fingerprint != digest:
            raise IdempotencyKeyReused
        raise Replay(_restore(kept, _cipher(self.request)))

    async def keep(self, response: Response) -> None:
        """Keep the answer beside its effect."""
        headers = [f"{name}: {response.headers[name]}" for name in _KEPT_HEADERS if name in response.headers]
        await self.session.execute(
            update(IdempotencyKey)
            .where(*self._mine())
            .values(
                status=response.status_code,
                headers=headers,
                body=_cipher(self.request).encrypt(bytes(response.body)),
            )
        )

    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        return (
            IdempotencyKey.organization_id == self.principal.organization_id,
            IdempotencyKey.principal_id == self.principal.id,
            IdempotencyKey.key == self.key,
        )


def _cipher(request: Request) -> MultiFernet:
    cipher: MultiFernet = request.app.state.keys.cipher(PURPOSE)
    return cipher


def _restore(kept: IdempotencyKey, cipher: MultiFernet) -> Response:
    headers = dict(line.split(": ", 1) for line in kept.headers or [])
    return Response(
        cipher.decrypt(kept.body or b""),
        status_code=kept.status or 200,
        headers={**headers, "Idempotent-Replayed": "true"},
    )


async def keep_response(request: Request, response: Response) -> None:
    """Keep the response of a request that took an Idempotency-Key."""
    idempotency: Idempotency | None = getattr(request.state, "idempotency", None)
    if idempotency is not None:
        await idempotency.keep(response)


async def idempotency(
    request: Request,
    principal: Annotated[Principal, Depends(current_principal)],
    session: Write,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            pattern=r"^[\x21-\x7e]+$",
            description="Makes a retry safe: the same key and body get the first answer again, for 24 hours.",
        ),
    ] = None,
) -> Idempotency:
    """Return the request's Idempotency-Key, for a handler that makes its own fingerprint."""
    return Idempotency(idempotency_key, request, principal, session)


async def idempotent(request: Request, key: Annotated[Idempotency, Depends(idempotency)]) -> None:
    """Make a route with a JSON body idempotent."""
    await key.begin(await request.body())


Idempotent = Depends(idempotent)


async def purge(session: WriteSession) -> None:
    """Forget keys that are older than they have to be kept."""
    await session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now() - KEEP))
