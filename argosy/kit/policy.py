"""The policy table: which role may do what to which resource. Code, documentation and tests are made from it.

A scope names one action on one resource. A caller holds a scope when its role in the organization grants it and its
credential carries it; platform scopes come from being a platform administrator instead of a role.
"""

from dataclasses import dataclass

from argosy.kit.principal import Role, Scope


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may take an action.

    `role` is the lowest role that may, None for platform administrators; `delegable` tells whether an API key or an
    OAuth2 client can be given it.
    """

    scope: Scope
    role: Role | None
    description: str
    delegable: bool = True

    @property
    def resource(self) -> str:
        """What is acted on."""
        return self.scope.value.partition(":")[0]

    @property
    def action(self) -> str:
        """What is done to it."""
        return self.scope.value.partition(":")[2]


RANK: tuple[Role, ...] = (Role.VIEWER, Role.DEVELOPER, Role.ADMIN, Role.OWNER)

POLICY: tuple[Rule, ...] = (
    Rule(Scope.MODELS_READ, Role.VIEWER, "See models, versions, signatures and artifacts"),
    Rule(Scope.MODELS_WRITE, Role.DEVELOPER, "Make, change and delete models, push versions, move aliases"),
    Rule(Scope.PREDICT, Role.VIEWER, "Call models"),
    Rule(
        Scope.ARTICLES_READ, Role.VIEWER, "See one's own drafts and their revisions; published articles need no scope"
    ),
    Rule(Scope.ARTICLES_WRITE, Role.DEVELOPER, "Write articles and cards, change one's own, see every draft"),
    Rule(Scope.PRODUCTS_READ, Role.DEVELOPER, "See the drafts of products; published ones are for everybody"),
    Rule(Scope.PRODUCTS_WRITE, Role.ADMIN, "Make, price, publish and archive products"),
    Rule(Scope.ORDERS_READ, Role.VIEWER, "See what the organization ordered"),
    Rule(Scope.ORDERS_WRITE, Role.ADMIN, "Place, pay, cancel and refund orders"),
    Rule(Scope.SALES_READ, Role.ADMIN, "See what the organization sold, and to whom"),
    Rule(
        Scope.ENTITLEMENTS_READ,
        Role.VIEWER,
        "See what the organization may use of others' products, and what it has granted",
    ),
    Rule(
        Scope.ENTITLEMENTS_WRITE, Role.ADMIN, "Grant, change and revoke entitlements; say which keys may use one's own"
    ),
    Rule(Scope.PAYLOADS_READ, Role.ADMIN, "Read recorded predictions, with their inputs and outputs"),
    Rule(Scope.PAYLOADS_WRITE, Role.ADMIN, "Say whether predictions are recorded, and how"),
    Rule(Scope.USAGE_READ, Role.VIEWER, "See what was used"),
    Rule(Scope.JOBS_READ, Role.VIEWER, "See jobs"),
    Rule(Scope.JOBS_WRITE, Role.DEVELOPER, "Start and cancel jobs"),
    Rule(Scope.ORGANIZATION_READ, Role.VIEWER, "See the organization"),
    Rule(Scope.ORGANIZATION_WRITE, Role.ADMIN, "Change the organization"),
    Rule(Scope.ORGANIZATION_OWN, Role.OWNER, "Delete the organization, hand it over, name owners", delegable=False),
    Rule(Scope.MEMBERS_READ, Role.VIEWER, "See who the members are"),
    Rule(Scope.MEMBERS_WRITE, Role.ADMIN, "Invite, change and remove members, see their addresses", delegable=False),
    Rule(Scope.KEYS_READ, Role.ADMIN, "See API keys"),
    Rule(Scope.KEYS_WRITE, Role.ADMIN, "Make, rotate and revoke API keys"),
    Rule(Scope.CLIENTS_READ, Role.ADMIN, "See OAuth2 clients"),
    Rule(Scope.CLIENTS_WRITE, Role.ADMIN, "Make, rotate and revoke OAuth2 clients", delegable=False),
    Rule(Scope.AUDIT_READ, Role.ADMIN, "Read the audit log"),
    Rule(Scope.ACCOUNT, Role.VIEWER, "See and change one's own account, password and sign-ins", delegable=False),
    Rule(Scope.USERS_READ, None, "See every account", delegable=False),
    Rule(Scope.USERS_WRITE, None, "Disable, promote and delete accounts", delegable=False),
    Rule(Scope.PLATFORM_AUDIT, None, "Read the audit log of the platform", delegable=False),
    Rule(Scope.METRICS_READ, None, "Read the metrics of the server"),
)

ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    role: frozenset(
        rule.scope for rule in POLICY if rule.role is not None and RANK.index(rule.role) <= RANK.index(role)
    )
    for role in Role
}
PLATFORM_SCOPES = frozenset(rule.scope for rule in POLICY if rule.role is None)
DELEGABLE_SCOPES = frozenset(rule.scope for rule in POLICY if rule.delegable)


def granted(role: Role, *, is_admin: bool) -> frozenset[Scope]:
    """Return what a person may do in an organization."""
    return ROLE_SCOPES[role] | (PLATFORM_SCOPES if is_admin else frozenset())
