"""Tokenizers of versions.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("model_versions", sa.Column("tokenizer_digest", sa.String(), nullable=True))
    size = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("model_versions", sa.Column("tokenizer_size", size, nullable=True))
    op.create_index(op.f("ix_model_versions_tokenizer_digest"), "model_versions", ["tokenizer_digest"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_model_versions_tokenizer_digest"), table_name="model_versions")
    op.drop_column("model_versions", "tokenizer_size")
    op.drop_column("model_versions", "tokenizer_digest")
