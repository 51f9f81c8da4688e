"""Who is calling: the principal, the roles a member has, and the scopes a token carries."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Scope(StrEnum):
    """What a token or key may be used for."""

    MODELS_READ = "models:read"
    MODELS_WRITE = "models:write"
    PREDICT = "predict"
    USAGE_READ = "usage:read"
    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    ORGANIZATION_READ = "organization:read"
    ORGANIZATION_WRITE = "organization:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"


class Role(StrEnum):
    """What a member is in an organization."""

    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    VIEWER = "viewer"


_VIEWER = frozenset({Scope.MODELS_READ, Scope.JOBS_READ, Scope.USAGE_READ, Scope.ORGANIZATION_READ, Scope.PREDICT})
_DEVELOPER = _VIEWER | {Scope.MODELS_WRITE, Scope.JOBS_WRITE}
_ADMIN = _DEVELOPER | {Scope.KEYS_READ, Scope.KEYS_WRITE, Scope.ORGANIZATION_WRITE}

ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    Role.VIEWER: _VIEWER,
    Role.DEVELOPER: _DEVELOPER,
    Role.ADMIN: _ADMIN,
    Role.OWNER: _ADMIN,
}


class PrincipalKind(StrEnum):
    """What kind of credential a call came with."""

    USER = "user"
    API_KEY = "api_key"


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller, acting in one organization.

    `id` is the user's or the API key's; `user_id` is the person who answers for the call, also for a key.
    """

    kind: PrincipalKind
    id: UUID
    user_id: UUID
    organization_id: UUID
    organization_slug: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Tell whether the caller holds a scope."""
        return scope in self.scopes
