"""`argosy predict`."""

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer

from argosy.cli.console import JsonOption, ModelName, say, session, show, show_json
from argosy.client.samples import read_rows


def predict(
    name: ModelName,
    rows: Annotated[str | None, typer.Option(help="A JSON object, a list of them, or a list of lists.")] = None,
    file: Annotated[Path | None, typer.Option(help="A CSV, TSV, Parquet or JSON file of inputs.")] = None,
    version: Annotated[int | None, typer.Option(min=1)] = None,
    alias: Annotated[str | None, typer.Option()] = None,
    json: JsonOption = False,
) -> None:
    """Predict."""
    with session() as client:
        answer = client.predict(name, _inputs(rows, file), version=version, alias=alias)
        if json:
            show_json(answer)
            return
        show(answer.predictions, False, list(answer.predictions[0]))
        say(f"{answer.model} version {answer.version}")


def _inputs(rows: str | None, file: Path | None) -> object:
    if rows is not None and file is None:
        try:
            return jsonlib.loads(rows)
        except ValueError as error:
            raise ValueError(f"--rows is not JSON: {error}") from error
    if file is not None and rows is None:
        return read_rows(file)
    raise ValueError("give --rows or --file")
