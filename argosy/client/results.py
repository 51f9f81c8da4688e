"""What the SDK returns: the wire shapes, typed. Fields that a newer server adds are kept."""

from datetime import datetime
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
    is_admin: bool = False
    email_verified_at: datetime | None = None


class OrganizationRef(Result):
    """An organization, named by another thing."""

    id: UUID
    slug: str


class Me(User):
    """Who is calling: the account that answers for it, the organization it acts in, and what it may do there."""

    email: str | None = None  # type: ignore[assignment] # not told to keys and clients

    kind: str
    organization: OrganizationRef
    scopes: list[str]


class Account(User):
    """An account, as platform administrators see it."""

    is_active: bool
    failed_sign_ins: int = 0


class SignIn(Result):
    """A sign-in of yours; `current` is the one that asked."""

    id: UUID
    kind: str
    client_id: str | None = None
    address: str | None = None
    user_agent: str | None = None
    created_at: datetime
    last_seen_at: datetime | None = None
    expires_at: datetime
    current: bool = False


class Organization(Result):
    """An organization."""

    id: UUID
    slug: str
    name: str
    personal: bool


class Member(Result):
    """A member of an organization; `email` is told to those who may change members."""

    user_id: UUID
    username: str
    full_name: str | None = None
    email: str | None = None
    role: str


class Invitation(Result):
    """An invitation; its code is in the mail alone."""

    id: UUID
    email: str
    role: str
    invited_by: UUID
    expires_at: datetime


class ApiKey(Result):
    """An API key; `key` is there only when it was just made or rotated."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    models: list[str] | None = None
    networks: list[str] | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    former_until: datetime | None = None
    key: str | None = None


class OAuthClient(Result):
    """An OAuth2 client; `client_secret` is there only when it was just made or rotated."""

    id: UUID
    client_id: str
    name: str
    scopes: list[str]
    redirect_uris: list[str] = []
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    former_until: datetime | None = None
    client_secret: str | None = None


class AuditEntry(Result):
    """Something that happened: who did what, when, and from where."""

    id: UUID
    sequence: int
    at: datetime
    action: str
    subject: str
    actor_kind: str | None = None
    actor_id: UUID | None = None
    address: str | None = None
    details: dict[str, Any] = {}
    hash: str


class AuditVerification(Result):
    """Whether a log is whole; keep `head` elsewhere to notice one that was written anew."""

    intact: bool
    entries: int
    broken_at: int | None = None
    head: str


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


class Author(Result):
    """Who wrote an article."""

    id: UUID
    username: str


class Article(Result):
    """An article; `html` is its content rendered, there where one is shown and not in a list."""

    id: UUID
    title: str
    slug: str
    content: str
    excerpt: str = ""
    html: str | None = None
    published: bool
    published_at: datetime | None = None
    tags: list[str] = []
    author: Author | None = None
    organization: str
    model: str | None = None
    card: bool = False
    revision: int
    created_at: datetime
    updated_at: datetime


class ArticleRevision(Result):
    """An article as it was; `content` is there where one is shown and not in a list."""

    number: int
    title: str
    content: str | None = None
    tags: list[str] = []
    published: bool
    edited_by: UUID
    created_at: datetime


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

    @property
    def is_settled(self) -> bool:
        """Whether the job has ended, well or not."""
        return self.status not in {"queued", "running"}


class CursorPage(Result, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None
