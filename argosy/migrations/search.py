"""The full-text index of a table of `SearchEntry`, for migrations: FTS5 on SQLite, tsvector on PostgreSQL.

A migration that replaces such a table on SQLite (`batch_alter_table`) loses its triggers and calls `make_searchable`
again. Alembic's comparison leaves out what is made here: its names end in `_fts` or hold `_fts_`.
"""

from alembic import op

_TRIGGERS = {
    "insert": "AFTER INSERT ON {table} BEGIN {add} END",
    "delete": "AFTER DELETE ON {table} BEGIN {remove} END",
    "update": "AFTER UPDATE ON {table} BEGIN {remove} {add} END",
}


def make_searchable(table: str) -> None:
    """Make the full-text index of a table."""
    if op.get_context().dialect.name == "postgresql":
        vector = "array_to_tsvector(string_to_array(terms, ' '))"
        # Without a list of pending entries, which every query would have to read until the next vacuum.
        op.execute(f"CREATE INDEX ix_{table}_fts ON {table} USING gin ({vector}) WITH (fastupdate = off)")
        return
    op.execute(
        f"CREATE VIRTUAL TABLE {table}_fts USING fts5("
        f"terms, content='{table}', content_rowid='key', detail=none, tokenize='ascii')"
    )
    changes = {
        "table": table,
        "add": f"INSERT INTO {table}_fts(rowid, terms) VALUES (new.key, new.terms);",  # noqa: S608 - a migration's own name
        "remove": f"INSERT INTO {table}_fts({table}_fts, rowid, terms) VALUES ('delete', old.key, old.terms);",  # noqa: S608
    }
    for event, body in _TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {table}_fts_{event} " + body.format(**changes))


def drop_searchable(table: str) -> None:
    """Undo `make_searchable`, before the table is dropped."""
    if op.get_context().dialect.name == "postgresql":
        op.execute(f"DROP INDEX ix_{table}_fts")
        return
    for event in _TRIGGERS:
        op.execute(f"DROP TRIGGER {table}_fts_{event}")
    op.execute(f"DROP TABLE {table}_fts")
