"""`argosy push`."""

import json as jsonlib
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from argosy.cli.console import JsonOption, err, json_value, out, pairs, say, session, show, show_json
from argosy.client import PushProgress
from argosy.client.results import Version
from argosy.signature.spec import Pooling

STAGES = {
    "preparing": "Reading and converting",
    "uploading": "Uploading",
    "pending": "Waiting for the server",
    "converting": "Converting and checking on the server",
    "ready": "Ready",
    "failed": "Failed",
}


def push(
    file: Annotated[Path, typer.Argument(help="An ONNX or skops file, or your own pickle with --trust-pickle.")],
    name: Annotated[str, typer.Option(help="The model; made where it does not exist.")],
    sample: Annotated[Path | None, typer.Option(help="Some rows of its inputs: CSV, TSV, Parquet or JSON.")] = None,
    tokenizer: Annotated[Path | None, typer.Option(help="tokenizer.json of a model that makes embeddings.")] = None,
    pooling: Annotated[Pooling | None, typer.Option(help="How the vectors of tokens become one.")] = None,
    normalize: Annotated[bool, typer.Option("--normalize", help="Bring embeddings to length one.")] = False,
    alias: Annotated[str, typer.Option(help="Alias to point at the version.")] = "live",
    metric: Annotated[list[str] | None, typer.Option(help="accuracy=0.97; repeat it.")] = None,
    param: Annotated[list[str] | None, typer.Option(help="C=1.0; repeat it.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Repeat it for several.")] = None,
    description: Annotated[str | None, typer.Option()] = None,
    training_date: Annotated[datetime | None, typer.Option(help="When it was trained.")] = None,
    public: Annotated[bool, typer.Option("--public", help="Let everyone with an account call it.")] = False,
    trust_pickle: Annotated[bool, typer.Option("--trust-pickle", help="Load your own pickle on this machine.")] = False,
    json: JsonOption = False,
) -> None:
    """Push a model: upload, conversion, parity check, and it serves."""
    with session() as client, _bar() as progress:
        task = progress.add_task(STAGES["preparing"], total=None)

        def hear(seen: PushProgress) -> None:
            description = STAGES.get(seen.status, seen.status)
            progress.update(task, description=description, completed=seen.done, total=seen.total or None)

        version = client.push(
            file,
            name=name,
            sample=sample,
            tokenizer=tokenizer,
            embedding=_embedding(pooling, normalize=normalize),
            alias=alias,
            visibility="public" if public else None,
            trust_pickle=trust_pickle,
            metrics=pairs(metric or [], float),
            parameters=pairs(param or [], json_value),
            tags=tag,
            description=description,
            training_date=training_date,
            progress=hear,
        )
    if json:
        show_json(version)
    else:
        _summarize(version, client.url)


def _embedding(pooling: Pooling | None, *, normalize: bool) -> dict[str, object] | None:
    said: dict[str, object] = {"pooling": pooling.value} if pooling else {}
    return {**said, "normalize": True} if normalize else said or None


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True)


def _summarize(version: Version, url: str) -> None:
    say(f"{version.model} version {version.version} is ready.")
    if version.parity and version.parity.compared:
        rows = [
            {**check.model_dump(mode="json"), "worst": check.worst.difference if check.worst else None}
            for check in version.parity.checks
        ]
        out.print("Its answers and the original's, by where the inputs come from (worst: 1 is the tolerance):")
        show(rows, False, ("kind", "rows", "passed", "labels_equal", "worst"))
    elif version.parity:
        out.print("It runs. Its answers were not compared: the upload had none of the original's.")
    row = {feature.name: feature.example for feature in version.signature.inputs} if version.signature else {}
    body = jsonlib.dumps({"rows": [row]}).replace("'", "'\\''")
    say(
        f"curl {url}/api/v1/models/{version.model}/predict \\\n  -H 'Authorization: Bearer ak_…' "
        f"-H 'Content-Type: application/json' \\\n  -d '{body}'"
    )
