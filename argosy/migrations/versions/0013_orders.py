"""Orders.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

import argosy.kit.db.types
from argosy.migrations.columns import tenant_columns
from argosy.migrations.policies import protect

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | None = None
depends_on: str | None = None
STATES = "'pending', 'paid', 'fulfilled', 'cancelled', 'refunded', 'failed'"


def upgrade() -> None:
    bigint = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "orders",
        *tenant_columns("orders"),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("total", bigint, nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("placed_by", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.CheckConstraint(f"status IN ({STATES})", name=op.f("ck_orders_status")),
    )
    for columns in (
        ["organization_id"],
        ["organization_id", "created_at", "id"],
        ["organization_id", "status", "created_at", "id"],
    ):
        op.create_index(op.f(f"ix_orders_{'_'.join(columns)}"), "orders", columns, unique=False)
    op.create_table(
        "order_items",
        *tenant_columns("order_items"),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("vendor_id", sa.Uuid(), nullable=False),
        sa.Column("vendor", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("price", bigint, nullable=False),
        sa.Column("price_number", sa.Integer(), nullable=False),
        sa.Column("plan", argosy.kit.db.types.Json, nullable=False),
        sa.CheckConstraint("quantity > 0 AND price > 0", name=op.f("ck_order_items_positive")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_order_items_order_id_orders"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_order_items_product_id_products"), ondelete="SET NULL"
        ),
        sa.UniqueConstraint("order_id", "product_id", name=op.f("uq_order_items_order_id_product_id")),
    )
    for column in ("organization_id", "product_id"):
        op.create_index(op.f(f"ix_order_items_{column}"), "order_items", [column], unique=False)
    for table in ("orders", "order_items"):
        protect(table)


def downgrade() -> None:
    op.drop_table("order_items")
    op.drop_table("orders")
