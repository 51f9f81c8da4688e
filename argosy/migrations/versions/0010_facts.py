"""Facts of versions.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

import argosy.kit.db.types

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("model_versions", sa.Column("facts", argosy.kit.db.types.Json, nullable=True))


def downgrade() -> None:
    op.drop_column("model_versions", "facts")
