"""The `argosy` command."""

import typer

from argosy import __version__
from argosy.cli.lazy import Lazy, LazyGroup


class Commands(LazyGroup):
    """Every command: one file a group, and the server is imported only by what runs it."""

    lazy = {  # noqa: RUF012 - a table, as the base class declares it
        "up": Lazy("argosy.cli.server", "up", "Start everything on this machine: API, worker, database and files."),
        "demo": Lazy(
            "argosy.cli.demo", "demo", "Train, push, call, sell and buy models on real data, and check it all."
        ),
        "push": Lazy("argosy.cli.push", "push", "Push a model: upload, conversion, parity check, and it serves."),
        "predict": Lazy("argosy.cli.predict", "predict", "Predict."),
        "models": Lazy("argosy.cli.models", "models", "Models."),
        "versions": Lazy("argosy.cli.versions", "versions", "Versions of a model."),
        "alias": Lazy("argosy.cli.aliases", "alias", "Aliases of a model."),
        "articles": Lazy("argosy.cli.articles", "articles", "Articles and models' cards, in Markdown."),
        "products": Lazy("argosy.cli.products", "products", "Products: models on sale, and your own offerings."),
        "orders": Lazy(
            "argosy.cli.orders", "orders", "Orders: place, pay, cancel and refund them, and their statements."
        ),
        "entitlements": Lazy("argosy.cli.entitlements", "entitlements", "What may be called within which quota."),
        "sales": Lazy("argosy.cli.orders", "sales", "List what your organization sold."),
        "keys": Lazy("argosy.cli.keys", "keys", "API keys."),
        "clients": Lazy("argosy.cli.clients", "clients", "OAuth2 clients: identities of services."),
        "orgs": Lazy("argosy.cli.organizations", "orgs", "Organizations, their members and invitations."),
        "audit": Lazy("argosy.cli.audit", "audit", "What happened: who did what, when, and from where."),
        "users": Lazy("argosy.cli.users", "users", "The accounts of the platform, for administrators."),
        "account": Lazy("argosy.cli.account", "account", "Your account: address, password, sign-ins."),
        "jobs": Lazy("argosy.cli.jobs", "jobs", "Jobs."),
        "usage": Lazy("argosy.cli.usage", "usage", "Show what your organization used."),
        "login": Lazy("argosy.cli.login", "login", "Store how to call: an API key, a password or an OAuth2 client."),
        "logout": Lazy("argosy.cli.login", "logout", "End the stored sign-in, and forget it."),
        "secrets": Lazy("argosy.cli.secret", "app", "The key that protects what is stored."),
        "db": Lazy("argosy.cli.db", "app", "The database's schema."),
        "openapi": Lazy("argosy.cli.server", "openapi", "Print the OpenAPI document of the fixed routes."),
        "version": Lazy("argosy.cli.main", "version", "Print the version."),
    }


app = typer.Typer(name="argosy", cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def argosy() -> None:
    """From a trained model to a typed, validated, versioned, secured and metered API."""


def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def run() -> None:
    """Run the command line."""
    app()
