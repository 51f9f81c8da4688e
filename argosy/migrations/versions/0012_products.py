"""Products, their prices, tags and models.

Revision ID: 0012
Revises: 0011
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

import argosy.kit.db.types
from argosy.migrations.columns import tenant_columns
from argosy.migrations.policies import protect

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | None = None
depends_on: str | None = None
PUBLIC_PRODUCT = "EXISTS (SELECT 1 FROM products WHERE products.id = product_id AND products.status <> 'draft')"


def of_product(table: str) -> list[Any]:
    """Return the column that says to which product a row belongs."""
    name = op.f(f"fk_{table}_product_id_products")
    return [
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=name, ondelete="CASCADE"),
    ]


def upgrade() -> None:
    bigint = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "products",
        *tenant_columns("products"),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_key", argosy.kit.db.types.ByteString, nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("price", bigint, nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("price_number", sa.Integer(), nullable=False),
        sa.Column("plan", argosy.kit.db.types.Json, nullable=False),
        sa.Column("stock", sa.Integer(), nullable=True),
        sa.Column("sold", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.CheckConstraint("status IN ('draft', 'published', 'archived')", name=op.f("ck_products_status")),
        sa.CheckConstraint("price > 0", name=op.f("ck_products_price")),
        sa.CheckConstraint("sold >= 0 AND (stock IS NULL OR sold <= stock)", name=op.f("ck_products_stock")),
        sa.UniqueConstraint("organization_id", "name_key", name=op.f("uq_products_organization_id_name_key")),
    )
    for columns in (
        ["organization_id"],
        ["status", "created_at", "id"],
        ["status", "name_key", "id"],
        ["status", "price", "id"],
        ["status", "currency", "price", "id"],
        ["organization_id", "status", "created_at", "id"],
    ):
        op.create_index(op.f(f"ix_products_{'_'.join(columns)}"), "products", columns, unique=False)
    protect("products", also_read="status <> 'draft'")
    op.create_table(
        "product_prices",
        *tenant_columns("product_prices"),
        *of_product("product_prices"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("amount", bigint, nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_product_prices_amount")),
        sa.UniqueConstraint("product_id", "number", name=op.f("uq_product_prices_product_id_number")),
    )
    op.create_table(
        "product_tags",
        *tenant_columns("product_tags"),
        *of_product("product_tags"),
        sa.Column("tag", sa.String(), nullable=False),
        sa.UniqueConstraint("product_id", "tag", name=op.f("uq_product_tags_product_id_tag")),
    )
    op.create_index(op.f("ix_product_tags_tag_product_id"), "product_tags", ["tag", "product_id"], unique=False)
    op.create_table(
        "product_models",
        *tenant_columns("product_models"),
        *of_product("product_models"),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_product_models_model_id_models")),
        sa.UniqueConstraint("product_id", "model_id", name=op.f("uq_product_models_product_id_model_id")),
    )
    op.create_index(op.f("ix_product_models_model_id"), "product_models", ["model_id"], unique=False)
    op.create_index(op.f("ix_product_models_name_product_id"), "product_models", ["name", "product_id"], unique=False)
    for table in ("product_prices", "product_tags", "product_models"):
        op.create_index(op.f(f"ix_{table}_organization_id"), table, ["organization_id"], unique=False)
        protect(table, also_read=PUBLIC_PRODUCT)


def downgrade() -> None:
    for table in ("product_models", "product_tags", "product_prices", "products"):
        op.drop_table(table)
