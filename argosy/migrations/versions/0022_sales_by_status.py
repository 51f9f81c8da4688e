"""What a vendor sold, by the status of the order, in the items themselves; and what row-level security asks of orders.

A trigger keeps the status of an order in its items, so that a process of the former release may go on changing it.

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

from argosy.migrations.policies import execute

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: str | None = None
depends_on: str | None = None
BY_STATUS = "ix_order_items_vendor_id_status_created_at_id"
FOLLOW = "UPDATE order_items SET status = NEW.status WHERE order_id = NEW.id"
FIRST, LAST = "argosy_first_organization()", "argosy_last_organization()"
EACH, ONCE = f"BETWEEN {FIRST} AND {LAST}", f"BETWEEN (SELECT {FIRST}) AND (SELECT {LAST})"
OF_ORDER = "FROM order_items WHERE order_items.order_id = orders.id AND order_items.vendor_id"
ANY_SOLD, ONE_SOLD = f"EXISTS (SELECT 1 {OF_ORDER} {EACH})", f"(SELECT true {OF_ORDER} {ONCE} LIMIT 1)"


def upgrade() -> None:
    op.add_column("order_items", sa.Column("status", sa.String(), server_default="pending", nullable=False))
    # The trigger comes first: on PostgreSQL making it keeps other writers out until the migration has committed.
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION argosy_follow_order() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN {FOLLOW}; RETURN NULL; END $$"
        )
        changed, body = "FOR EACH ROW WHEN (OLD.status <> NEW.status)", "EXECUTE FUNCTION argosy_follow_order()"
    else:
        changed, body = "WHEN OLD.status <> NEW.status", f"BEGIN {FOLLOW}; END"
    op.execute(f"CREATE TRIGGER order_items_status AFTER UPDATE OF status ON orders {changed} {body}")
    its_status = "(SELECT orders.status FROM orders WHERE orders.id = order_id)"
    op.execute(f"UPDATE order_items SET status = {its_status} WHERE status <> {its_status}")  # noqa: S608 - our own names
    op.create_index(BY_STATUS, "order_items", ["vendor_id", "status", "created_at", "id"], unique=False)
    execute(f"ALTER POLICY also_read ON orders USING ({ONE_SOLD})")


def downgrade() -> None:
    execute(f"ALTER POLICY also_read ON orders USING ({ANY_SOLD})")
    op.drop_index(BY_STATUS, "order_items")
    on_table = " ON orders" if op.get_context().dialect.name == "postgresql" else ""
    op.execute(f"DROP TRIGGER order_items_status{on_table}")
    execute("DROP FUNCTION argosy_follow_order()")
    op.drop_column("order_items", "status")
