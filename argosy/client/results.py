"""What the SDK returns: the wire shapes, typed. Fields that a newer server adds are kept."""

from datetime import date, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from argosy.conversion.errors import Failure
from argosy.conversion.report import ParityReport
from argosy.signature.spec import Signature

T = TypeVar("T")


class Result(BaseModel):
    """Something the server answered."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())


class User(Result):
    """An account."""

    id: UUID
    email: str
    username: str
    full_name: str | None = None


class Organization(Result):
    """An organization."""

    id: UUID
    slug: str
    name: str
    personal: bool


class Member(Result):
    """A member of an organization."""

    user_id: UUID
    role: str


class ApiKey(Result):
    """An API key; `key` is there only when it was just made."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    key: str | None = None


class Model(Result):
    """A model."""

    id: UUID
    name: str
    full_name: str
    description: str | None = None
    visibility: str
    task: str | None = None
    tags: list[str] = []
    last_version: int
    aliases: dict[str, int] = {}
    revision: int


class Version(Result):
    """A version of a model."""

    id: UUID
    model: str
    version: int
    status: str
    signature: Signature | None = None
    parity: ParityReport | None = None
    parameters: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    error: Failure | None = None
    job_id: UUID | None = None
    revision: int

    @property
    def is_settled(self) -> bool:
        """Whether the version is ready or has failed."""
        return self.status in {"ready", "failed"}


class Alias(Result):
    """An alias."""

    name: str
    version: int
    revision: int


class AliasChange(Result):
    """One move of an alias."""

    alias: str
    from_version: int | None
    to_version: int | None
    changed_by: UUID
    created_at: datetime


class Job(Result):
    """A job."""

    id: UUID
    kind: str
    status: str
    progress: dict[str, int]
    error: str | None = None
    result_url: str | None = None


class UsageRow(Result):
    """Calls and rows of one group."""

    principal_id: UUID | None = None
    model: str | None = None
    version: int | None = None
    day: date | None = None
    calls: int
    rows: int


class Usage(Result):
    """Usage of an organization."""

    items: list[UsageRow]
    calls: int
    rows: int


class CursorPage(Result, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None
