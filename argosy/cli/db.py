"""`argosy db`: the database's schema."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from argosy.cli.server import load_settings

if TYPE_CHECKING:
    from argosy.kit.db.session import Database

app = typer.Typer(help="The database's schema.", no_args_is_help=True)
T = TypeVar("T")


def _with_database(work: "Callable[[Database], Awaitable[T]]") -> T:
    from argosy.kit.db.session import Database  # noqa: PLC0415 - heavy
    from argosy.migrations import SchemaOutdated  # noqa: PLC0415

    settings = load_settings()
    if settings.database.url is None:
        settings.data.dir.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def run() -> T:
        database = Database(settings.database_url, settings.database)
        try:
            return await work(database)
        finally:
            await database.dispose()

    try:
        return asyncio.run(run())
    except SchemaOutdated as error:
        typer.echo(f"argosy: {error}", err=True)
        raise typer.Exit(1) from error


@app.command()
def upgrade(revision: Annotated[str, typer.Argument(help="Revision to go to.")] = "head") -> None:
    """Bring the schema up to date."""
    from argosy import migrations  # noqa: PLC0415 - heavy

    _with_database(lambda database: migrations.upgrade(database, revision))
    typer.echo(f"The database is at {_with_database(migrations.current)}.")


@app.command()
def downgrade(revision: Annotated[str, typer.Argument(help="Revision to go back to; `base` is empty.")]) -> None:
    """Take the schema back."""
    from argosy import migrations  # noqa: PLC0415 - heavy

    _with_database(lambda database: migrations.downgrade(database, revision))
    typer.echo(f"The database is at {_with_database(migrations.current) or 'base'}.")


@app.command()
def check() -> None:
    """Tell whether the schema is what the code expects; exit 1 when it is not."""
    from argosy import migrations  # noqa: PLC0415 - heavy

    _with_database(migrations.require_current)
    found = _with_database(migrations.differences)
    for difference in found:
        typer.echo(f"differs: {difference}", err=True)
    if found:
        raise typer.Exit(1)
    typer.echo(f"The database is at {migrations.head()} and agrees with the code.")


@app.command()
def revision(message: Annotated[str, typer.Argument(help="What the migration does.")]) -> None:
    """Write a migration from what differs; run it against PostgreSQL."""
    from argosy import migrations  # noqa: PLC0415 - heavy

    for path in _with_database(lambda database: migrations.revision(database, message)):
        typer.echo(str(path))
