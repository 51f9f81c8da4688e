"""Response caching.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

import argosy.kit.db.types
from argosy.migrations.policies import protect

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None
PUBLIC_MODEL = "EXISTS (SELECT 1 FROM models WHERE models.id = model_id AND models.visibility = 'public')"


def upgrade() -> None:
    time = argosy.kit.db.types.UTCDateTime(timezone=True)
    op.create_table(
        "response_caching",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("ttl_seconds", sa.Integer(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_response_caching_model_id_models"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_response_caching_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_response_caching")),
        sa.UniqueConstraint("model_id", name=op.f("uq_response_caching_model_id")),
    )
    op.create_index(op.f("ix_response_caching_organization_id"), "response_caching", ["organization_id"], unique=False)
    protect("response_caching", also_read=PUBLIC_MODEL)


def downgrade() -> None:
    op.drop_table("response_caching")
