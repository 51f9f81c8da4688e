"""`argosy up` and `argosy openapi`. The server itself is imported when it is needed."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from argosy.cli.listening import allow_connections
from argosy.kit import memory
from argosy.settings import DataSettings, Settings


def load_settings(**changes: Any) -> Settings:  # noqa: ANN401 - whatever the settings take
    """Read the settings; exit with the names of the wrong ones."""
    try:
        return Settings(**{name: value for name, value in changes.items() if value is not None})
    except ValidationError as error:
        for item in error.errors():
            name = "_".join(["ARGOSY", *(str(part).upper() for part in item["loc"])])
            typer.echo(f"{name}: {item['msg']}", err=True)
        raise typer.Exit(2) from error


def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 picks a free one.")] = None,
    grpc_port: Annotated[int | None, typer.Option(help="Port for gRPC; 0 picks a free one; off if unset.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder for the embedded engines.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve, on one port.")] = None,
) -> None:
    """Start everything on this machine: API, worker, database and files."""
    settings = load_settings(
        host=host,
        port=port,
        grpc={"port": grpc_port} if grpc_port is not None else None,
        data=DataSettings(dir=data_dir) if data_dir else None,
        workers=workers,
    )
    allow_connections()
    raise typer.Exit(_supervise(settings) if settings.workers > 1 else _serve(settings))


def _supervise(settings: Settings) -> int:
    from argosy.cli.supervisor import supervise  # noqa: PLC0415 - of use to this one only

    return supervise(settings)


def _serve(settings: Settings) -> int:
    with memory.importing():
        from argosy.cli.process import serve  # noqa: PLC0415 - heavy
        from argosy.cli.tls import TlsUnusable  # noqa: PLC0415
        from argosy.migrations import SchemaOutdated  # noqa: PLC0415
        from argosy.serving.protocols.grpc_port import GrpcMissing  # noqa: PLC0415

    try:
        return 0 if serve(settings) else 1
    except (SchemaOutdated, TlsUnusable, GrpcMissing) as error:
        typer.echo(f"argosy: {error}", err=True)
        return 1


def openapi() -> None:
    """Print the OpenAPI document of the fixed routes."""
    with memory.importing():
        from argosy.app import create_app  # noqa: PLC0415 - heavy
        from argosy.serving.openapi import fixed  # noqa: PLC0415

    typer.echo(json.dumps(fixed(create_app(load_settings())), indent=2))
