"""`argosy versions`."""

from pathlib import Path
from typing import Annotated

import typer

from argosy.cli.console import JsonOption, ModelName, Number, done, say, session, show, show_json

versions = typer.Typer(help="Versions of a model.", no_args_is_help=True)
COLUMNS = ("model", "version", "status", "metrics", "created_at")


@versions.command("list")
def list_versions(name: ModelName, json: JsonOption = False) -> None:
    """List the versions of a model."""
    with session() as client:
        show(list(client.versions(name)), json, COLUMNS)


@versions.command("get")
def get_version(name: ModelName, number: Number, json: JsonOption = False) -> None:
    """Show a version and what its parity report says."""
    with session() as client:
        version = client.version(name, number)
        show(version, json, COLUMNS)
        if json:
            return
        if version.parity:
            show(version.parity.checks, False, ("kind", "rows", "passed", "reason"))
        if version.error:
            say("\n".join(filter(None, (version.error.reason, version.error.advice))))


@versions.command("compare")
def compare_versions(name: ModelName, a: Number, b: Number, json: JsonOption = True) -> None:  # noqa: ARG001
    """Show what differs between two versions; always JSON."""
    with session() as client:
        show_json(client.compare(name, a, b))


@versions.command("signature")
def show_signature(name: ModelName, number: Number, json: JsonOption = True) -> None:  # noqa: ARG001
    """Show a version's signature and JSON Schema; always JSON."""
    with session() as client:
        show_json(client.signature(name, number))


@versions.command("download")
def download(
    name: ModelName,
    number: Number,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    source: Annotated[bool, typer.Option("--source", help="What was uploaded, not the ONNX.")] = False,
    json: JsonOption = False,
) -> None:
    """Save a version's artifact."""
    with session() as client:
        written = client.download(name, number, output, kind="source" if source else "onnx")
        done(json, f"{written} ({written.stat().st_size} bytes)", path=str(written))
