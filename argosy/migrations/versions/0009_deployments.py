"""Deployments.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

import argosy.kit.db.types
from argosy.migrations.policies import protect

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None
PUBLIC_MODEL = "EXISTS (SELECT 1 FROM models WHERE models.id = model_id AND models.visibility = 'public')"


def upgrade() -> None:
    time = argosy.kit.db.types.UTCDateTime(timezone=True)
    op.create_table(
        "deployments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("traffic", argosy.kit.db.types.Json, nullable=False),
        sa.Column("shadow", argosy.kit.db.types.Json, nullable=True),
        sa.Column("batching", argosy.kit.db.types.Json, nullable=False),
        sa.Column("backend", argosy.kit.db.types.Json, nullable=True),
        sa.Column("credentials", sa.String(), nullable=True),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        *_references("deployments"),
        sa.UniqueConstraint("model_id", name=op.f("uq_deployments_model_id")),
    )
    op.create_index(op.f("ix_deployments_organization_id"), "deployments", ["organization_id"], unique=False)
    protect("deployments", also_read=PUBLIC_MODEL)
    op.create_table(
        "shadow_comparisons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("shadow_version", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("calls", argosy.kit.db.types.BigInt, nullable=False),
        sa.Column("rows", argosy.kit.db.types.BigInt, nullable=False),
        sa.Column("different_rows", argosy.kit.db.types.BigInt, nullable=False),
        sa.Column("errors", argosy.kit.db.types.BigInt, nullable=False),
        sa.Column("largest_difference", sa.Double(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        *_references("shadow_comparisons"),
        sa.UniqueConstraint(
            "model_id",
            "version",
            "shadow_version",
            "day",
            name=op.f("uq_shadow_comparisons_model_id_version_shadow_version_day"),
        ),
    )
    op.create_index(
        op.f("ix_shadow_comparisons_organization_id"), "shadow_comparisons", ["organization_id"], unique=False
    )
    protect("shadow_comparisons")


def _references(table: str) -> list[sa.Constraint]:
    return [
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f(f"fk_{table}_model_id_models"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f(f"fk_{table}_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    ]


def downgrade() -> None:
    op.drop_table("shadow_comparisons")
    op.drop_table("deployments")
