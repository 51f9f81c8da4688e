"""Entitlements.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

import argosy.kit.db.types
from argosy.migrations.columns import tenant_columns
from argosy.migrations.policies import protect

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: str | None = None
depends_on: str | None = None
VENDORS = "vendor_id BETWEEN argosy_first_organization() AND argosy_last_organization()"
OF_ENTITLEMENT = (
    "EXISTS (SELECT 1 FROM entitlements WHERE entitlements.id = entitlement_id"
    " AND entitlements.vendor_id BETWEEN argosy_first_organization() AND argosy_last_organization())"
)


def reference(table: str, column: str, to: str, ondelete: str) -> sa.ForeignKeyConstraint:
    """Return a reference to another table's id."""
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}_{to}"), ondelete=ondelete)


def upgrade() -> None:
    bigint = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    time = argosy.kit.db.types.UTCDateTime(timezone=True)
    op.create_table(
        "entitlements",
        *tenant_columns("entitlements"),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("order_item_id", sa.Uuid(), nullable=True),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("vendor_id", sa.Uuid(), nullable=False),
        sa.Column("vendor", sa.String(), nullable=False),
        sa.Column("customer", sa.String(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("period", sa.String(length=32), nullable=False),
        sa.Column("calls", bigint, nullable=True),
        sa.Column("rows", bigint, nullable=True),
        sa.Column("rate_per_second", sa.Integer(), nullable=True),
        sa.Column("starts_at", time, nullable=False),
        sa.Column("ends_at", time, nullable=True),
        sa.Column("api_keys", argosy.kit.db.types.Json, nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "status IN ('active', 'suspended', 'revoked', 'expired')", name=op.f("ck_entitlements_status")
        ),
        sa.CheckConstraint("period IN ('day', 'week', 'month', 'year')", name=op.f("ck_entitlements_period")),
        sa.CheckConstraint("calls IS NOT NULL OR rows IS NOT NULL", name=op.f("ck_entitlements_quota")),
        reference("entitlements", "order_id", "orders", "SET NULL"),
        reference("entitlements", "order_item_id", "order_items", "SET NULL"),
        reference("entitlements", "product_id", "products", "SET NULL"),
        sa.UniqueConstraint("order_item_id", name=op.f("uq_entitlements_order_item_id")),
    )
    for columns in (
        ["organization_id"],
        ["order_id"],
        ["product_id"],
        ["organization_id", "created_at", "id"],
        ["vendor_id", "created_at", "id"],
        ["status", "ends_at"],
    ):
        op.create_index(op.f(f"ix_entitlements_{'_'.join(columns)}"), "entitlements", columns, unique=False)
    op.create_table(
        "entitlement_models",
        *tenant_columns("entitlement_models"),
        sa.Column("entitlement_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        reference("entitlement_models", "entitlement_id", "entitlements", "CASCADE"),
        reference("entitlement_models", "model_id", "models", "CASCADE"),
        sa.UniqueConstraint("entitlement_id", "model_id", name=op.f("uq_entitlement_models_entitlement_id_model_id")),
    )
    for column in ("organization_id", "model_id"):
        op.create_index(op.f(f"ix_entitlement_models_{column}"), "entitlement_models", [column], unique=False)
    op.create_table(
        "entitlement_periods",
        *tenant_columns("entitlement_periods"),
        sa.Column("entitlement_id", sa.Uuid(), nullable=False),
        sa.Column("period_start", time, nullable=False),
        sa.Column("calls_taken", bigint, nullable=False),
        sa.Column("rows_taken", bigint, nullable=False),
        sa.CheckConstraint("calls_taken >= 0 AND rows_taken >= 0", name=op.f("ck_entitlement_periods_taken")),
        reference("entitlement_periods", "entitlement_id", "entitlements", "CASCADE"),
        sa.UniqueConstraint(
            "entitlement_id", "period_start", name=op.f("uq_entitlement_periods_entitlement_id_period_start")
        ),
    )
    op.create_index(
        op.f("ix_entitlement_periods_organization_id"), "entitlement_periods", ["organization_id"], unique=False
    )
    protect("entitlements", also_read=VENDORS)
    for table in ("entitlement_models", "entitlement_periods"):
        protect(table, also_read=OF_ENTITLEMENT)


def downgrade() -> None:
    for table in ("entitlement_periods", "entitlement_models", "entitlements"):
        op.drop_table(table)
