"""What jobs were given, and what came of them.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

import argosy.kit.db.types
from argosy.migrations.policies import protect

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    time = argosy.kit.db.types.UTCDateTime(timezone=True)
    role = sa.Enum("input", "result", name="role", native_enum=False, create_constraint=True, length=32)
    op.create_table(
        "job_contents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("role", role, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_contents_job_id_jobs"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_job_contents_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_contents")),
        sa.UniqueConstraint("job_id", "role", name=op.f("uq_job_contents_job_id_role")),
    )
    op.create_index(op.f("ix_job_contents_created_at"), "job_contents", ["created_at"], unique=False)
    op.create_index(op.f("ix_job_contents_organization_id"), "job_contents", ["organization_id"], unique=False)
    protect("job_contents")


def downgrade() -> None:
    op.drop_table("job_contents")
