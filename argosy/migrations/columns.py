"""Columns that tables have in common, for migrations."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from argosy.kit.db.types import UTCDateTime


def tenant_columns(table: str) -> list[Any]:
    """Return what every table of an organization has; alembic takes the columns in the order it is given."""
    time = UTCDateTime(timezone=True)
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f(f"fk_{table}_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    ]
