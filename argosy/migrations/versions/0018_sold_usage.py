"""What vendors see of the use of their products, and the lists of entitlements by status.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

from argosy.migrations.policies import execute

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: str | None = None
depends_on: str | None = None
ALSO_READ = (
    "EXISTS (SELECT 1 FROM products WHERE products.id = product_id AND products.organization_id"
    " BETWEEN argosy_first_organization() AND argosy_last_organization())"
)
BY_STATUS = (["organization_id", "status", "created_at", "id"], ["vendor_id", "status", "created_at", "id"])


def upgrade() -> None:
    of_product = sa.text("product_id IS NOT NULL")
    op.create_index(
        "ix_usage_records_product_id_day",
        "usage_records",
        ["product_id", "day"],
        unique=False,
        sqlite_where=of_product,
        postgresql_where=of_product,
    )
    for columns in BY_STATUS:
        op.create_index(op.f(f"ix_entitlements_{'_'.join(columns)}"), "entitlements", columns, unique=False)
    execute(f"CREATE POLICY also_read ON usage_records FOR SELECT USING ({ALSO_READ})")


def downgrade() -> None:
    execute("DROP POLICY also_read ON usage_records")
    for columns in BY_STATUS:
        op.drop_index(op.f(f"ix_entitlements_{'_'.join(columns)}"), "entitlements")
    op.drop_index("ix_usage_records_product_id_day", "usage_records")
