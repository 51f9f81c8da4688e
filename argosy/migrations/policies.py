"""Row-level security of a table, for migrations. SQLite has none, and there nothing is done.

What these functions write is part of migrations that have run: another shape of policy is another function.
"""

from alembic import op

OWN = "organization_id BETWEEN argosy_first_organization() AND argosy_last_organization()"


def protect(table: str, *, own: str = OWN, also_read: str | None = None, also_insert: str | None = None) -> None:
    """Let only the organization that a transaction acts in at a table's rows.

    The expressions are those of the class's `__row_policy__`.
    """
    execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    # The owner of a table is exempt otherwise, and the server usually is the owner.
    execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    # PostgreSQL tries policies from the last name to the first: the cheap one before what looks at another table.
    execute(f"CREATE POLICY own ON {table} USING ({own}) WITH CHECK ({own})")
    if also_read is not None:
        execute(f"CREATE POLICY also_read ON {table} FOR SELECT USING ({also_read})")
    if also_insert is not None:
        execute(f"CREATE POLICY also_insert ON {table} FOR INSERT WITH CHECK ({also_insert})")


def unprotect(table: str, *policies: str) -> None:
    """Undo `protect`; names the policies beside `own`."""
    for policy in ("own", *policies):
        execute(f"DROP POLICY {policy} ON {table}")
    execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


def execute(statement: str) -> None:
    """Run a statement on PostgreSQL."""
    if op.get_context().dialect.name == "postgresql":
        op.execute(statement)
