"""What row-level security asks of many rows of usage and of products' tags is quick to answer.

Revision ID: 0020
Revises: 0019
"""

from argosy.migrations.policies import execute

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | None = None
depends_on: str | None = None
EACH = "organization_id BETWEEN argosy_first_organization() AND argosy_last_organization()"
ONCE = "organization_id BETWEEN (SELECT argosy_first_organization()) AND (SELECT argosy_last_organization())"
ANY_PUBLIC = "EXISTS (SELECT 1 FROM products WHERE products.id = product_id AND products.status <> 'draft')"
ITS_STATUS = "(SELECT products.status FROM products WHERE products.id = product_id) <> 'draft'"
OF_PRODUCTS = ("product_tags", "product_models", "product_prices")


def upgrade() -> None:
    _alter(ONCE, ITS_STATUS)


def downgrade() -> None:
    _alter(EACH, ANY_PUBLIC)


def _alter(own: str, also_read: str) -> None:
    for table in ("usage_records", *OF_PRODUCTS):
        execute(f"ALTER POLICY own ON {table} USING ({own}) WITH CHECK ({own})")
    for table in OF_PRODUCTS:
        execute(f"ALTER POLICY also_read ON {table} USING ({also_read})")
