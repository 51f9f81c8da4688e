"""`argosy secrets`: the key that protects what is stored."""

import asyncio
from typing import Annotated

import typer

from argosy.cli.server import load_settings

app = typer.Typer(help="The key that protects what is stored.", no_args_is_help=True)


@app.command()
def rotate(
    new_key: Annotated[bool, typer.Option("--new-key", help="Make a new key in the data folder first.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Remove the former keys of the data folder after.")] = False,
) -> None:
    """Encrypt what is stored with the current secret key. Servers that run must know it: see the operations page."""
    from argosy.kit.crypto import forget_former_secrets, key_ring, renew_secret  # noqa: PLC0415 - heavy
    from argosy.kit.db.session import Database  # noqa: PLC0415
    from argosy.system.sealed import Unreadable, reencrypt  # noqa: PLC0415

    settings = load_settings()
    folder = settings.data.dir / "secrets"
    if new_key or forget:
        if settings.security.secret_key is not None:
            typer.echo("argosy: the secret key comes from the settings; change it there", err=True)
            raise typer.Exit(2)
        if new_key:
            renew_secret(folder)

    async def run() -> dict[str, int]:
        database = Database(settings.database_url, settings.database)
        try:
            return await reencrypt(database, key_ring(folder, settings.security))
        finally:
            await database.dispose()

    try:
        done = asyncio.run(run())
    except Unreadable as error:
        typer.echo(f"argosy: {error}", err=True)
        raise typer.Exit(1) from error
    if forget:
        forget_former_secrets(folder)
    typer.echo("Encrypted anew: " + ", ".join(f"{count} {kind}" for kind, count in done.items()) + ".")
