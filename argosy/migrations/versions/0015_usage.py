"""Usage: errors, latency and products.

A process of the former release that still runs cannot count then, as its upsert names the constraint that is replaced
here: its segments wait on its disk and are counted by the next process of this one, so that nothing is lost.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

import argosy.kit.db.types

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | None = None
depends_on: str | None = None
KEY = ["organization_id", "principal_id", "model_id", "version", "day"]
FORMER_KEY = "uq_usage_records_organization_id_principal_id_model_id_version_day"
BOUNDS = ("1", "2", "5", "10", "25", "50", "100", "250", "500", "1000", "2500", "more")
COUNTERS = ("refused", "errors", *(f"ms_{bound}" for bound in BOUNDS))
SAME = " AND ".join(f"other.{column} = record.{column}" for column in KEY)


def upgrade() -> None:
    with op.batch_alter_table("usage_records") as usage:
        usage.add_column(sa.Column("product_id", sa.Uuid(), nullable=True))
        for name in COUNTERS:
            usage.add_column(sa.Column(name, argosy.kit.db.types.BigInt, server_default="0", nullable=False))
        usage.drop_constraint(op.f(FORMER_KEY), type_="unique")
    without, of = sa.text("product_id IS NULL"), sa.text("product_id IS NOT NULL")
    op.create_index(
        "uq_usage_records_without_product",
        "usage_records",
        KEY,
        unique=True,
        sqlite_where=without,
        postgresql_where=without,
    )
    op.create_index(
        "uq_usage_records_of_product",
        "usage_records",
        [*KEY, "product_id"],
        unique=True,
        sqlite_where=of,
        postgresql_where=of,
    )
    op.create_index("ix_usage_records_organization_id_day", "usage_records", ["organization_id", "day"], unique=False)


def downgrade() -> None:
    # The former release knows one row where there may be one for each product.
    sums = ", ".join(
        f"{name} = (SELECT SUM(other.{name}) FROM usage_records AS other WHERE {SAME})"  # noqa: S608 - our own names
        for name in ("calls", "rows")
    )
    earlier = f"(SELECT 1 FROM usage_records AS other WHERE {SAME} AND other.id < record.id)"  # noqa: S608
    op.execute(f"UPDATE usage_records AS record SET {sums} WHERE NOT EXISTS {earlier}")  # noqa: S608
    op.execute(f"DELETE FROM usage_records AS record WHERE EXISTS {earlier}")  # noqa: S608
    op.drop_index("ix_usage_records_organization_id_day", table_name="usage_records")
    op.drop_index("uq_usage_records_of_product", table_name="usage_records")
    op.drop_index("uq_usage_records_without_product", table_name="usage_records")
    with op.batch_alter_table("usage_records") as usage:
        for name in (*COUNTERS, "product_id"):
            usage.drop_column(name)
        usage.create_unique_constraint(op.f(FORMER_KEY), KEY)
