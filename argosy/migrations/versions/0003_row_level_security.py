"""Row-level security.

Revision ID: 0003
Revises: 0002
"""

from argosy.migrations.policies import execute, protect, unprotect

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None

# The rows of an organization are a range of ids that holds one, and the system's is the range of all: unlike an OR, a
# range uses the index and is estimated right. A range of nulls holds nothing.
BOUND_OF_RANGE = """
CASE current_setting('argosy.organization', true)
  WHEN 'system' THEN '{}'::uuid
  ELSE NULLIF(current_setting('argosy.organization', true), '')::uuid
END"""
FUNCTIONS = {
    "argosy_first_organization": ("uuid", BOUND_OF_RANGE.format("00000000-0000-0000-0000-000000000000")),
    "argosy_last_organization": ("uuid", BOUND_OF_RANGE.format("ffffffff-ffff-ffff-ffff-ffffffffffff")),
    "argosy_person": ("uuid", "NULLIF(current_setting('argosy.person', true), '')::uuid"),
    "argosy_is_bound": ("boolean", "COALESCE(current_setting('argosy.organization', true), '') <> ''"),
}
PLAIN = (
    "api_keys",
    "audit_entries",
    "idempotency_keys",
    "invitations",
    "jobs",
    "oauth_clients",
    "usage_records",
)
OF_A_MODEL = ("model_versions", "aliases", "alias_changes")
PUBLIC_MODEL = "EXISTS (SELECT 1 FROM models WHERE models.id = model_id AND models.visibility = 'public')"
# An event without an organization is the system's.
OWN_EVENT = (
    "COALESCE(organization_id, '00000000-0000-0000-0000-000000000000'::uuid)"
    " BETWEEN argosy_first_organization() AND argosy_last_organization()"
)


def upgrade() -> None:
    for name, (returned, body) in FUNCTIONS.items():
        # Stable and of one expression, so that the planner puts the expression in the function's place.
        execute(f"CREATE FUNCTION {name}() RETURNS {returned} LANGUAGE sql STABLE PARALLEL SAFE COST 1 RETURN {body}")
    for table in PLAIN:
        protect(table)
    protect("events", own=OWN_EVENT, also_insert="true")
    protect("memberships", also_read="user_id = argosy_person()")
    protect("models", also_read="visibility = 'public' AND argosy_is_bound()")
    for table in OF_A_MODEL:
        protect(table, also_read=PUBLIC_MODEL)


def downgrade() -> None:
    for table in ("models", "memberships", *OF_A_MODEL):
        unprotect(table, "also_read")
    unprotect("events", "also_insert")
    for table in PLAIN:
        unprotect(table)
    for name in FUNCTIONS:
        execute(f"DROP FUNCTION {name}()")
