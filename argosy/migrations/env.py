"""Alembic's environment: runs on the connection it is given, or writes SQL for PostgreSQL."""

from alembic import context
from sqlalchemy import Connection

from argosy.kit.db.base import Base
from argosy.migrations import is_compared, tables  # noqa: F401 - fills the metadata


def run_online(connection: Connection) -> None:
    """Migrate within the connection's transaction."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        include_name=is_compared,
        user_module_prefix="argosy.kit.db.types.",
    )
    with context.begin_transaction():
        context.run_migrations()


def run_offline() -> None:
    """Write the migration as SQL."""
    context.configure(
        dialect_name="postgresql", target_metadata=Base.metadata, literal_binds=True, transaction_per_migration=True
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online(context.config.attributes["connection"])
