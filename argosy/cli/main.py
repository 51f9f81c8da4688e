"""The `argosy` command."""

import typer

from argosy import __version__
from argosy.cli import db, server

app = typer.Typer(
    name="argosy",
    help="From a trained model to a typed, validated, versioned, secured and metered API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(db.app, name="db")
app.command()(server.up)
app.command()(server.openapi)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def run() -> None:
    """Run the command line."""
    app()
