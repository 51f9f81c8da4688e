"""The `argosy` command."""

import typer

from argosy import __version__
from argosy.cli import db, demo, login, models, organizations, server, work

app = typer.Typer(
    name="argosy",
    help="From a trained model to a typed, validated, versioned, secured and metered API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(server.up)
app.command()(demo.demo)
app.command()(work.push)
app.command()(work.predict)
app.add_typer(models.models, name="models")
app.add_typer(models.versions, name="versions")
app.add_typer(models.alias, name="alias")
app.add_typer(organizations.keys, name="keys")
app.add_typer(organizations.orgs, name="orgs")
app.add_typer(work.jobs, name="jobs")
app.command()(work.usage)
app.command()(login.login)
app.command()(login.logout)
app.add_typer(db.app, name="db")
app.command()(server.openapi)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def run() -> None:
    """Run the command line."""
    app()
