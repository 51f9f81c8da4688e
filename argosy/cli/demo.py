"""`argosy demo`: the whole path, on real data, against a real server."""

import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from argosy.cli.console import failures
from argosy.demo.server import RunningServer, ServerFailed, running_server

if TYPE_CHECKING:
    from argosy.demo.steps import Outcome

out = Console()


def demo(
    exit_: Annotated[bool, typer.Option("--exit", help="End after it; code 0 only if every step held.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.")] = 0,
    data_dir: Annotated[Path | None, typer.Option(help="Keep the server's data here.")] = None,
) -> None:
    """Train models on real data, push them, call them, and check every answer."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="argosy-demo-") as temporary, failures():
        try:
            with running_server(host, port, data_dir or Path(temporary)) as server:
                _walk(server, started)
                if not exit_:
                    _stay(server)
        except ServerFailed as error:
            out.print(str(error), highlight=False)
            raise typer.Exit(1) from error


def _walk(server: RunningServer, started: float) -> None:
    from argosy.demo.cases import CASES  # noqa: PLC0415 - heavy
    from argosy.demo.steps import Demonstration, StepFailed  # noqa: PLC0415

    demonstration = Demonstration(server.url)
    outcomes: list[Outcome] = []
    try:
        with (
            demonstration.sign_up() as client,
            Progress(
                TextColumn("{task.description}", justify="left"), BarColumn(), TimeElapsedColumn(), console=out
            ) as progress,
        ):
            task = progress.add_task("starting", total=len(CASES))
            for make in CASES:
                outcomes.append(demonstration.run(client, make(), lambda text: progress.update(task, description=text)))
                progress.advance(task)
            usage = demonstration.check_usage(client, outcomes)
    except StepFailed as error:
        out.print(f"[red]failed:[/red] {error}", highlight=False)
        raise typer.Exit(1) from error
    _report(outcomes)
    out.print(f"Usage, as the server counted it: {usage.calls} calls, {usage.rows} rows - exactly those made.")
    out.print(f"A wrong input: {outcomes[0].refusal}", highlight=False)
    name = f"{demonstration.username}/{outcomes[0].case.name}"
    out.print(f"API: {server.url}/api/v1/models/{name}/predict", highlight=False, soft_wrap=True)
    out.print(f"Docs: {server.url}/docs   Key: {demonstration.key}", highlight=False, soft_wrap=True)
    out.print(f"Every step held, in {time.monotonic() - started:.0f} s.")


def _report(outcomes: "list[Outcome]") -> None:
    table = Table("model", "estimator", "metric", "probes", "rows", "worst difference", "ms a call")
    for outcome in outcomes:
        name, value = next(iter(outcome.case.metrics.items()))
        table.add_row(
            f"{outcome.case.name} v{outcome.version.version}",
            outcome.case.estimator,
            f"{name} {value:.3f}",
            str(outcome.probes),
            str(outcome.rows),
            f"{outcome.difference:.1e}",
            f"{outcome.milliseconds:.1f}",
        )
    out.print(table)


def _stay(server: RunningServer) -> None:
    out.print("The server stays up; Ctrl-C ends it.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.process.wait()
    except KeyboardInterrupt:
        out.print("Stopping.")
