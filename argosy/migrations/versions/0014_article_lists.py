"""Indexes of an organization's articles in order, and of slugs.

Revision ID: 0014
Revises: 0013
"""

from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    newest = ["organization_id", "created_at", "id", "published", "card_of", "author_id"]
    op.create_index("ix_articles_organization", "articles", newest, unique=False)
    op.create_index("ix_articles_slug", "articles", ["slug"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_articles_slug", "articles")
    op.drop_index("ix_articles_organization", "articles")
