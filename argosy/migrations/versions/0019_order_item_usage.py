"""What was used of each item of an order, by day.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

import argosy.kit.db.types
from argosy.migrations.columns import tenant_columns
from argosy.migrations.policies import protect

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: str | None = None
depends_on: str | None = None
ALSO_READ = (
    "EXISTS (SELECT 1 FROM order_items WHERE order_items.id = order_item_id AND order_items.vendor_id"
    " BETWEEN argosy_first_organization() AND argosy_last_organization())"
)
# What was counted by product alone is an order's where the customer was granted the product once; where it was granted
# it several times, nothing tells which of them a call took of.
COUNTED_BEFORE = """
    INSERT INTO order_item_usage (id, organization_id, created_at, updated_at, order_item_id, day, calls, rows)
    SELECT {new_id}, bought.organization_id, MIN(used.created_at), MAX(used.updated_at), bought.order_item_id, used.day,
        SUM(used.calls), SUM(used.rows)
    FROM entitlements AS bought
    JOIN usage_records AS used
        ON used.organization_id = bought.organization_id AND used.product_id = bought.product_id
    WHERE bought.order_item_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM entitlements AS other
        WHERE other.organization_id = bought.organization_id AND other.product_id = bought.product_id
            AND other.id <> bought.id
    )
    GROUP BY bought.organization_id, bought.order_item_id, used.day
    HAVING SUM(used.calls) > 0
"""
NEW_ID = {"postgresql": "gen_random_uuid()", "sqlite": "lower(hex(randomblob(16)))"}


def upgrade() -> None:
    op.create_table(
        "order_item_usage",
        *tenant_columns("order_item_usage"),
        sa.Column("order_item_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("calls", argosy.kit.db.types.BigInt, nullable=False),
        sa.Column("rows", argosy.kit.db.types.BigInt, nullable=False),
        sa.UniqueConstraint("order_item_id", "day", name=op.f("uq_order_item_usage_order_item_id_day")),
    )
    op.create_index(op.f("ix_order_item_usage_organization_id"), "order_item_usage", ["organization_id"], unique=False)
    op.execute(COUNTED_BEFORE.format(new_id=NEW_ID[op.get_context().dialect.name]))
    protect("order_item_usage", also_read=ALSO_READ)


def downgrade() -> None:
    op.drop_table("order_item_usage")
