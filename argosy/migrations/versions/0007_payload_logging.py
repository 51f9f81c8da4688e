"""Payload logging.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

import argosy.kit.db.types
from argosy.migrations.policies import protect

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None
PUBLIC_MODEL = "EXISTS (SELECT 1 FROM models WHERE models.id = model_id AND models.visibility = 'public')"


def upgrade() -> None:
    time = argosy.kit.db.types.UTCDateTime(timezone=True)
    op.create_table(
        "payload_logging",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("sample_rate", sa.Double(), nullable=False),
        sa.Column("redact", argosy.kit.db.types.Json, nullable=False),
        sa.Column("retention_days", sa.Integer(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        *_references("payload_logging"),
        sa.UniqueConstraint("model_id", name=op.f("uq_payload_logging_model_id")),
    )
    op.create_index(op.f("ix_payload_logging_organization_id"), "payload_logging", ["organization_id"], unique=False)
    kind = sa.Enum(
        "user", "api_key", "client", name="principal_kind", native_enum=False, create_constraint=True, length=32
    )
    op.create_table(
        "prediction_records",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("principal_kind", kind, nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("latency_ms", sa.Double(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("inputs", sa.String(), nullable=True),
        sa.Column("outputs", sa.String(), nullable=True),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        *_references("prediction_records"),
    )
    op.create_index(
        op.f("ix_prediction_records_model_id_created_at"),
        "prediction_records",
        ["model_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_prediction_records_organization_id"), "prediction_records", ["organization_id"], unique=False
    )
    protect("payload_logging", also_read=PUBLIC_MODEL)
    protect("prediction_records")


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
    op.drop_table("prediction_records")
    op.drop_table("payload_logging")
