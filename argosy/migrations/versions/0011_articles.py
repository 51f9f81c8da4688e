"""Articles.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

import argosy.kit.db.types
from argosy.migrations.policies import protect
from argosy.migrations.search import drop_searchable, make_searchable

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | None = None
depends_on: str | None = None
PUBLIC = (
    "published AND (card_of IS NULL OR EXISTS"
    " (SELECT 1 FROM models WHERE models.id = card_of AND models.visibility = 'public'))"
)


def upgrade() -> None:
    time = argosy.kit.db.types.UTCDateTime(timezone=True)
    op.create_table(
        "articles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("excerpt", sa.String(), nullable=False),
        sa.Column("html", sa.String(), nullable=True),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.Column("published_at", time, nullable=True),
        sa.Column("tags", argosy.kit.db.types.Json, nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("model_id", sa.Uuid(), nullable=True),
        sa.Column("card_of", sa.Uuid(), nullable=True),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        _reference("articles", "organization_id", "organizations", "CASCADE"),
        _reference("articles", "author_id", "users", "SET NULL"),
        _reference("articles", "model_id", "models", "SET NULL"),
        _reference("articles", "card_of", "models", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_articles")),
        sa.UniqueConstraint("organization_id", "slug", name=op.f("uq_articles_organization_id_slug")),
        sa.UniqueConstraint("card_of", name=op.f("uq_articles_card_of")),
    )
    op.create_index(op.f("ix_articles_organization_id"), "articles", ["organization_id"], unique=False)
    newest = ["created_at", "id", "published", "organization_id", "card_of", "author_id"]
    op.create_index("ix_articles_newest", "articles", newest, unique=False)
    op.create_index("ix_articles_author", "articles", ["author_id", "created_at", "id"], unique=False)
    op.create_index("ix_articles_model", "articles", ["model_id", "created_at", "id"], unique=False)
    op.create_table(
        "article_revisions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("article_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("tags", argosy.kit.db.types.Json, nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.Column("edited_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        _reference("article_revisions", "organization_id", "organizations", "CASCADE"),
        _reference("article_revisions", "article_id", "articles", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_article_revisions")),
        sa.UniqueConstraint("article_id", "number", name=op.f("uq_article_revisions_article_id_number")),
    )
    op.create_index(
        op.f("ix_article_revisions_organization_id"), "article_revisions", ["organization_id"], unique=False
    )
    op.create_table(
        "article_search",
        sa.Column("key", argosy.kit.db.types.BigInt, nullable=False),
        sa.Column("terms", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        _reference("article_search", "subject_id", "articles", "CASCADE"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_article_search")),
        sa.UniqueConstraint("subject_id", name=op.f("uq_article_search_subject_id")),
    )
    make_searchable("article_search")
    protect("articles", also_read=PUBLIC)
    protect("article_revisions")


def _reference(table: str, column: str, other: str, ondelete: str) -> sa.Constraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), ondelete=ondelete
    )


def downgrade() -> None:
    drop_searchable("article_search")
    op.drop_table("article_search")
    op.drop_table("article_revisions")
    op.drop_table("articles")
