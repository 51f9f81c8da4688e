"""`argosy push`, `argosy predict`, `argosy jobs` and `argosy usage`."""

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from argosy.cli.console import JsonOption, err, json_value, out, pairs, session, show, show_json
from argosy.client.payloads import read_table
from argosy.client.results import Version

jobs = typer.Typer(help="Jobs.", no_args_is_help=True)
JOB_COLUMNS = ("id", "kind", "status", "progress", "error")


def push(
    file: Annotated[Path, typer.Argument(help="An ONNX or skops file, or your own pickle with --trust-pickle.")],
    name: Annotated[str, typer.Option(help="The model; made where it does not exist.")],
    sample: Annotated[Path | None, typer.Option(help="Some rows of its inputs: CSV, Parquet or JSON.")] = None,
    alias: Annotated[str, typer.Option(help="Alias to point at the version.")] = "live",
    metric: Annotated[list[str] | None, typer.Option(help="accuracy=0.97; repeat it.")] = None,
    param: Annotated[list[str] | None, typer.Option(help="C=1.0; repeat it.")] = None,
    description: Annotated[str | None, typer.Option()] = None,
    public: Annotated[bool, typer.Option("--public", help="Let everyone with an account call it.")] = False,
    trust_pickle: Annotated[bool, typer.Option("--trust-pickle", help="Load your own pickle on this machine.")] = False,
    json: JsonOption = False,
) -> None:
    """Push a model: upload, conversion, parity check, and it serves."""
    with (
        session() as client,
        Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=err, transient=True
        ) as progress,
    ):
        task = progress.add_task(f"Uploading {file.name}")
        version = client.push(
            file,
            name=name,
            sample=sample,
            alias=alias,
            visibility="public" if public else "private",
            trust_pickle=trust_pickle,
            metrics=pairs(metric or [], float),
            parameters=pairs(param or [], json_value),
            description=description,
            progress=lambda seen: progress.update(task, description=f"Version {seen.version}: {seen.status}"),
        )
    if json:
        show_json(version)
        return
    _summarize(version, client.url)


def _summarize(version: Version, url: str) -> None:
    out.print(f"[green]{version.model} version {version.version} is ready.[/green]")
    if version.parity:
        show(version.parity.checks, False, ("kind", "rows", "passed"))
    example = (
        {"rows": [{feature.name: feature.example for feature in version.signature.inputs}]} if version.signature else {}
    )
    out.print(
        f"curl {url}/api/v1/models/{version.model}/predict \\\n  -H 'Authorization: Bearer ak_…' "
        f"-H 'Content-Type: application/json' \\\n  -d '{jsonlib.dumps(example)}'",
        highlight=False,
        soft_wrap=True,
    )


def predict(
    name: Annotated[str, typer.Argument(help="`name` or `organization/name`.")],
    rows: Annotated[str | None, typer.Option(help="A JSON object, or a list of them.")] = None,
    file: Annotated[Path | None, typer.Option(help="A CSV, Parquet or JSON file of inputs.")] = None,
    version: Annotated[int | None, typer.Option(min=1)] = None,
    alias: Annotated[str | None, typer.Option()] = None,
    json: JsonOption = False,
) -> None:
    """Predict."""
    with session() as client:
        if (rows is None) == (file is None):
            raise ValueError("give --rows or --file")
        inputs = read_table(file) if file is not None else jsonlib.loads(rows or "")
        answer = client.predict(name, inputs, version=version, alias=alias)
        if json:
            show_json(answer)
            return
        show(answer.predictions, False, list(answer.predictions[0]))
        out.print(f"{answer.model} version {answer.version}", highlight=False)


def usage(
    by: Annotated[list[str] | None, typer.Option(help="key, model, version or day; repeat it.")] = None,
    model: Annotated[str | None, typer.Option(help="`organization/name`.")] = None,
    json: JsonOption = False,
) -> None:
    """Show what your organization used."""
    with session() as client:
        found = client.usage(*(by or []), model=model)
        if json:
            show_json(found)
            return
        show(found.items, False, ("principal_id", "model", "version", "day", "calls", "rows"))
        out.print(f"{found.calls} calls, {found.rows} rows")


@jobs.command("list")
def list_jobs(json: JsonOption = False) -> None:
    """List jobs."""
    with session() as client:
        show(list(client.jobs()), json, JOB_COLUMNS)


@jobs.command("get")
def get_job(job_id: Annotated[str, typer.Argument()], json: JsonOption = False) -> None:
    """Show a job."""
    with session() as client:
        show(client.job(job_id), json, JOB_COLUMNS)


@jobs.command("cancel")
def cancel_job(job_id: Annotated[str, typer.Argument()], json: JsonOption = False) -> None:
    """Cancel a job."""
    with session() as client:
        show(client.cancel_job(job_id), json, JOB_COLUMNS)
