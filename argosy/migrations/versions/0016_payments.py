"""Payments, the inbox of their providers' messages, the books of the local provider, and vendors' view of orders.

Revision ID: 0016
Revises: 0015
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

import argosy.kit.db.types
from argosy.migrations.policies import execute, protect

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | None = None
depends_on: str | None = None
STATES = "'requested', 'processing', 'cancelling', 'succeeded', 'failed', 'refunding', 'refunded'"
SOLD_ITEM = "vendor_id BETWEEN argosy_first_organization() AND argosy_last_organization()"
SOLD_ORDER = (
    "EXISTS (SELECT 1 FROM order_items WHERE order_items.order_id = orders.id AND order_items.vendor_id"
    " BETWEEN argosy_first_organization() AND argosy_last_organization())"
)


def upgrade() -> None:
    _payments()
    _notices()
    _local_provider()
    op.create_index(
        op.f("ix_order_items_vendor_id_created_at_id"), "order_items", ["vendor_id", "created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_orders_status_created_at"), "orders", ["status", "created_at"], unique=False)
    execute(f"CREATE POLICY also_read ON order_items FOR SELECT USING ({SOLD_ITEM})")
    execute(f"CREATE POLICY also_read ON orders FOR SELECT USING ({SOLD_ORDER})")


def _payments() -> None:
    bigint = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "payments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("amount", bigint, nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("refund_reference", sa.String(), nullable=True),
        sa.Column("refunds", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("message", sa.String(), nullable=True),
        sa.Column("action_url", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", _time(), nullable=True),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("updated_at", _time(), nullable=False),
        sa.CheckConstraint(f"status IN ({STATES})", name=op.f("ck_payments_status")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payments_amount")),
        _reference("payments", "organization_id", "organizations"),
        _reference("payments", "order_id", "orders"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
    )
    for columns in (["organization_id"], ["order_id", "created_at", "id"], ["provider", "reference"]):
        op.create_index(op.f(f"ix_payments_{'_'.join(columns)}"), "payments", columns, unique=False)
    _partial("uq_payments_active", "payments", ["order_id"], "status <> 'failed'", unique=True)
    _partial("ix_payments_due", "payments", ["next_attempt_at", "id"], "next_attempt_at IS NOT NULL")
    protect("payments")


def _notices() -> None:
    op.create_table(
        "payment_notices",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("received_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "event_id", name=op.f("pk_payment_notices")),
    )
    op.create_index(op.f("ix_payment_notices_received_at"), "payment_notices", ["received_at"], unique=False)


def _local_provider() -> None:
    bigint = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "local_intents",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("amount", bigint, nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        *_outcome("local_intents", "'created', 'processing', 'succeeded', 'failed'"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_local_intents")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_local_intents_payment_id")),
    )
    op.create_table(
        "local_refunds",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("intent_id", sa.String(), nullable=False),
        *_outcome("local_refunds", "'pending', 'succeeded', 'failed'"),
        _reference("local_refunds", "intent_id", "local_intents"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_local_refunds")),
        sa.UniqueConstraint("key", name=op.f("uq_local_refunds_key")),
    )
    op.create_table(
        "local_webhooks",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("intent_id", sa.String(), nullable=False),
        sa.Column("refund_id", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("message", sa.String(), nullable=True),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", _time(), nullable=True),
        sa.Column("created_at", _time(), nullable=False),
        _reference("local_webhooks", "intent_id", "local_intents"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_local_webhooks")),
    )
    for table in ("local_refunds", "local_webhooks"):
        op.create_index(op.f(f"ix_{table}_intent_id"), table, ["intent_id"], unique=False)
    op.create_index(op.f("ix_local_webhooks_created_at"), "local_webhooks", ["created_at"], unique=False)
    _partial("ix_local_webhooks_due", "local_webhooks", ["due_at", "id"], "due_at IS NOT NULL")


def _time() -> sa.types.TypeEngine[Any]:
    return argosy.kit.db.types.UTCDateTime(timezone=True)


def _outcome(table: str, states: str) -> list[Any]:
    return [
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("message", sa.String(), nullable=True),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("updated_at", _time(), nullable=False),
        sa.CheckConstraint(f"status IN ({states})", name=op.f(f"ck_{table}_status")),
    ]


def _reference(table: str, column: str, other: str) -> sa.Constraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, ondelete="CASCADE")


def _partial(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    execute("DROP POLICY also_read ON orders")
    execute("DROP POLICY also_read ON order_items")
    op.drop_index(op.f("ix_orders_status_created_at"), table_name="orders")
    op.drop_index(op.f("ix_order_items_vendor_id_created_at_id"), table_name="order_items")
    for table in ("local_webhooks", "local_refunds", "local_intents", "payment_notices", "payments"):
        op.drop_table(table)
