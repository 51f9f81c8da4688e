"""Sums of usage by product and day, and by month, which the database keeps itself; and usage of one key or model.

Triggers add to the sums what is added to the counters, whoever adds it: a process of the former release may go on. On
PostgreSQL its writers wait until what was counted before is summed.

Revision ID: 0021
Revises: 0020
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

import argosy.kit.db.types
from argosy.migrations.policies import execute, protect

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: str | None = None
depends_on: str | None = None
ONCE = "organization_id BETWEEN (SELECT argosy_first_organization()) AND (SELECT argosy_last_organization())"
ALSO_READ = (
    "EXISTS (SELECT 1 FROM products WHERE products.id = product_id AND products.organization_id"
    " BETWEEN argosy_first_organization() AND argosy_last_organization())"
)
BOUNDS = ("1", "2", "5", "10", "25", "50", "100", "250", "500", "1000", "2500", "more")
COUNTERS = ("calls", "rows", "refused", "errors", *(f"ms_{bound}" for bound in BOUNDS))
KEYS = {
    "usage_days": ("organization_id", "day", "product_id"),
    "usage_months": ("organization_id", "day", "principal_id", "model", "version", "product_id"),
}
MONTH = {"sqlite": "date({row}day, 'start of month')", "postgresql": "date_trunc('month', {row}day)::date"}
# A primary key has no NULL: a product of zeros is none.
PRODUCT = {
    "sqlite": f"COALESCE({{row}}product_id, '{0:032}')",
    "postgresql": "COALESCE({row}product_id, '00000000-0000-0000-0000-000000000000'::uuid)",
}
OF_ONE = (["organization_id", "principal_id", "day"], ["organization_id", "model", "day"])


def upgrade() -> None:
    for columns in OF_ONE:
        op.create_index(op.f(f"ix_usage_records_{'_'.join(columns)}"), "usage_records", columns, unique=False)
    _create("usage_days")
    of_month = sa.Enum(
        "user", "api_key", "client", name="principal_kind", native_enum=False, create_constraint=True, length=32
    )
    _create(
        "usage_months",
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("principal_kind", of_month, nullable=False),
    )
    # The triggers come first: on PostgreSQL making them keeps other writers out until the migration has committed.
    if op.get_context().dialect.name == "postgresql":
        _make_triggers_of_statements()
    else:
        _make_triggers_of_rows()
    for table in KEYS:
        op.execute(_add(table, "usage_records", "SUM({})"))


def downgrade() -> None:
    for event in ("insert", "update"):
        on_table = " ON usage_records" if op.get_context().dialect.name == "postgresql" else ""
        op.execute(f"DROP TRIGGER usage_sums_{event}{on_table}")
    execute("DROP FUNCTION argosy_sum_usage()")
    for table in KEYS:
        op.drop_table(table)
    for columns in OF_ONE:
        op.drop_index(op.f(f"ix_usage_records_{'_'.join(columns)}"), "usage_records")


def _create(table: str, *more: sa.Column[Any]) -> None:
    op.create_table(
        table,
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        *more,
        *(
            sa.Column(
                name,
                argosy.kit.db.types.BigInt,
                nullable=False,
                server_default=None if name in ("calls", "rows") else "0",
            )
            for name in COUNTERS
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f(f"fk_{table}_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(*KEYS[table], name=op.f(f"pk_{table}")),
    )
    op.create_index(op.f(f"ix_{table}_product_id_day"), table, ["product_id", "day"], unique=False)
    protect(table, own=ONCE, also_read=ALSO_READ)


def _make_triggers_of_statements() -> None:
    """Sum what a statement adds, in one order, so that writers wait for each other in turn."""
    # The function has variables of the names new and old.
    changed = ", ".join(f"now.{name} - before.{name} AS {name}" for name in COUNTERS)
    keys = ", ".join(f"now.{name}" for name in (*KEYS["usage_months"], "principal_kind"))
    difference = f"(SELECT {keys}, {changed} FROM added AS now JOIN former AS before USING (id)) AS changed"  # noqa: S608
    inserted, updated = (
        "; ".join(_add(table, source, "SUM({})") for table in KEYS) for source in ("added", difference)
    )
    op.execute(
        "CREATE FUNCTION argosy_sum_usage() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF TG_OP = 'INSERT' THEN {inserted}; ELSE {updated}; END IF; RETURN NULL; END $$"
    )
    for event, tables in (("insert", "NEW TABLE AS added"), ("update", "NEW TABLE AS added OLD TABLE AS former")):
        op.execute(
            f"CREATE TRIGGER usage_sums_{event} AFTER {event.upper()} ON usage_records"
            f" REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION argosy_sum_usage()"
        )


def _make_triggers_of_rows() -> None:
    for event, amount in (("insert", "new.{}"), ("update", "new.{0} - old.{0}")):
        body = "; ".join(_add(table, None, amount) for table in KEYS)
        op.execute(f"CREATE TRIGGER usage_sums_{event} AFTER {event.upper()} ON usage_records BEGIN {body}; END")


def _add(table: str, source: str | None, amount: str) -> str:
    """Return the INSERT that adds to the sums of a table; what a trigger adds of one row has no source."""
    dialect, row = op.get_context().dialect.name, "" if source else "new."
    of_month = table == "usage_months"
    values = {name: f"{row}{name}" for name in KEYS[table]}
    values["product_id"] = PRODUCT[dialect].format(row=row)
    if of_month:
        values["day"] = MONTH[dialect].format(row=row)
    grouped = ", ".join(values.values())
    if of_month:
        values["principal_kind"] = "MIN(principal_kind)" if source else "new.principal_kind"
    values |= {name: amount.format(name) for name in COUNTERS}
    # Without a WHERE, SQLite takes the ON of the conflict for that of a join.
    of = f" FROM {source} WHERE TRUE GROUP BY {grouped} ORDER BY {grouped}" if source else " WHERE TRUE"
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in COUNTERS)
    return (
        f"INSERT INTO {table} ({', '.join(values)}) SELECT {', '.join(values.values())}{of}"
        f" ON CONFLICT ({', '.join(KEYS[table])}) DO UPDATE SET {added}"
    )
