"""Wire shapes of the audit log."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import Field, JsonValue

from argosy.kit.schemas import Schema


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What to look for in a log; `until` is exclusive."""

    action: str | None = None
    actor_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditRead(Schema):
    """Something that happened: who did what, when, and from where."""

    id: UUID
    sequence: int = Field(description="Place in the chain, from 1.")
    at: datetime
    action: str = Field(examples=["api_key.created"])
    subject: str
    actor_kind: str | None = Field(description="`user`, `api_key` or `client`; null before anyone was known.")
    actor_id: UUID | None
    address: str | None
    user_agent: str | None
    request_id: str | None
    details: dict[str, JsonValue]
    previous_hash: str
    hash: str = Field(description="SHA-256 over this entry and the hash before it.")


class AuditVerification(Schema):
    """Whether a chain is whole."""

    intact: bool
    entries: int = Field(description="Links that hold.")
    broken_at: int | None = Field(description="The first link that does not.")
    head: str = Field(description="Hash of the last link that holds; keep it elsewhere to notice a rewritten chain.")
