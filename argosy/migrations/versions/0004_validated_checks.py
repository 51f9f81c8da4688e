"""The checks that 0002 widened, validated now that they hold for every row, without holding up writers.

Revision ID: 0004
Revises: 0003
"""

from argosy.migrations.policies import execute

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    execute("ALTER TABLE sessions VALIDATE CONSTRAINT ck_sessions_session_kind")
    execute("ALTER TABLE usage_records VALIDATE CONSTRAINT ck_usage_records_principal_kind")


def downgrade() -> None:
    pass
