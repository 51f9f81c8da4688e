"""`argosy jobs`."""

from typing import Annotated

import typer

from argosy.cli.console import JsonOption, session, show, show_json

jobs = typer.Typer(help="Jobs.", no_args_is_help=True)
COLUMNS = ("id", "kind", "status", "progress", "error")
JobId = Annotated[str, typer.Argument()]


@jobs.command("list")
def list_jobs(
    status: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None, json: JsonOption = False
) -> None:
    """List jobs."""
    with session() as client:
        show(list(client.jobs(status)), json, COLUMNS)


@jobs.command("get")
def get_job(job_id: JobId, json: JsonOption = False) -> None:
    """Show a job."""
    with session() as client:
        show(client.job(job_id), json, COLUMNS)


@jobs.command("result")
def job_result(job_id: JobId) -> None:
    """Wait for a job and print what came of it, as JSON."""
    with session() as client:
        show_json(client.job_result(job_id))


@jobs.command("cancel")
def cancel_job(job_id: JobId, json: JsonOption = False) -> None:
    """Cancel a job."""
    with session() as client:
        show(client.cancel_job(job_id), json, COLUMNS)
