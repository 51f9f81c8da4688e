"""Who is calling: the principal, the roles a member has, and the scopes a token carries."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Scope(StrEnum):
    """What a token or key may be used for: `resource:action`. Who may do it is in `argosy.kit.policy`."""

    MODELS_READ = "models:read"
    MODELS_WRITE = "models:write"
    PREDICT = "predict"
    ARTICLES_READ = "articles:read"
    ARTICLES_WRITE = "articles:write"
    PRODUCTS_READ = "products:read"
    PRODUCTS_WRITE = "products:write"
    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    SALES_READ = "sales:read"
    ENTITLEMENTS_READ = "entitlements:read"
    ENTITLEMENTS_WRITE = "entitlements:write"
    PAYLOADS_READ = "payloads:read"
    PAYLOADS_WRITE = "payloads:write"
    USAGE_READ = "usage:read"
    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    ORGANIZATION_READ = "organization:read"
    ORGANIZATION_WRITE = "organization:write"
    ORGANIZATION_OWN = "organization:own"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    CLIENTS_READ = "clients:read"
    CLIENTS_WRITE = "clients:write"
    AUDIT_READ = "audit:read"
    ACCOUNT = "account"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    PLATFORM_AUDIT = "platform:audit"
    METRICS_READ = "metrics:read"


class Role(StrEnum):
    """What a member is in an organization."""

    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    VIEWER = "viewer"


class PrincipalKind(StrEnum):
    """What kind of credential a call came with: a person's, an API key, or an OAuth2 client's token."""

    USER = "user"
    API_KEY = "api_key"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller, acting in one organization.

    `id` is the user's, the API key's or the client's; `user_id` is the person who answers for the call. `models` are
    the full names a key is limited to, None where it is not. `session_id` is a person's sign-in.
    """

    kind: PrincipalKind
    id: UUID
    user_id: UUID
    organization_id: UUID
    organization_slug: str
    scopes: frozenset[Scope]
    models: frozenset[str] | None = None
    session_id: UUID | None = None

    def may(self, scope: Scope) -> bool:
        """Tell whether the caller holds a scope."""
        return scope in self.scopes
