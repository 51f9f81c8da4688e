"""Which statements a database gets, and how it would run them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from argosy.kit.db.session import Database, UnitOfWork
from argosy.kit.db.tenancy import Actor

Statement = tuple[str, Any]


@contextmanager
def statements(database: Database, *about: str) -> Iterator[list[Statement]]:
    """The statements that a database gets meanwhile, with their parameters: those that have one of these words."""
    seen: list[Statement] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if any(word in statement for word in about):
            seen.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def explain(database: Database, who: Actor, statement: Statement) -> str:
    """How a database would run a statement for somebody, as it says it."""
    async with UnitOfWork(database) as work:
        await work.act_as(who)
        connection = await (await work.read()).connection()
        asked = "EXPLAIN QUERY PLAN " if database.dialect == "sqlite" else "EXPLAIN "
        rows = (await connection.exec_driver_sql(asked + statement[0], statement[1])).all()
        return "\n".join(str(found[-1]) for found in rows)


def reads_whole(plan: str, table: str) -> bool:
    """Whether a plan reads all of a table instead of what an index tells."""
    return f"Seq Scan on {table}" in plan or any(line.strip() == f"SCAN {table}" for line in plan.splitlines())
