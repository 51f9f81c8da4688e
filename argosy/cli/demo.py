"""`argosy demo`: the whole path, on real data, against a real server."""

import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from argosy.cli.console import complain, failures, out, say, show
from argosy.demo.server import RunningServer, ServerFailed, running_server

if TYPE_CHECKING:
    from argosy.demo.steps import Outcome
    from argosy.demo.trade import Bargain, Side

COLUMNS = ("model", "estimator", "pushed as", "metric", "probes", "rows", "worst diff.", "ms a call")
STATEMENT_COLUMNS = ("statement of", "as", "month", "product", "calls", "rows", "quota", "order", "total")


def demo(
    exit_: Annotated[bool, typer.Option("--exit", help="End after it; code 0 only if every step held.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.")] = 0,
    data_dir: Annotated[Path | None, typer.Option(help="Keep the server's data here.")] = None,
) -> None:
    """Train models on real data, push, call, sell and buy them, and check every answer and figure."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="argosy-demo-") as temporary, failures():
        try:
            with running_server(host, port, data_dir or Path(temporary)) as server:
                _walk(server, started)
                if not exit_:
                    _stay(server)
        except ServerFailed as error:
            complain(str(error))
            raise typer.Exit(1) from error


def _walk(server: RunningServer, started: float) -> None:
    from argosy.demo.cases import CASES  # noqa: PLC0415 - heavy
    from argosy.demo.steps import Demonstration, StepFailed  # noqa: PLC0415
    from argosy.demo.trade import trade  # noqa: PLC0415

    demonstration = Demonstration(server.url)
    outcomes: list[Outcome] = []
    columns = (TextColumn("{task.description}", justify="left"), BarColumn(), TimeElapsedColumn())
    try:
        with demonstration.sign_up() as client, Progress(*columns, console=out) as progress:
            task = progress.add_task("starting", total=len(CASES) + 1)
            for make in CASES:
                outcomes.append(demonstration.run(client, make(), lambda text: progress.update(task, description=text)))
                progress.advance(task)
            usage = demonstration.check_usage(client, outcomes)
            bargain = trade(client, outcomes[0], lambda text: progress.update(task, description=text))
            progress.update(task, description="every model answers as scikit-learn does", advance=1)
    except StepFailed as error:
        complain(f"a step did not hold: {error}")
        raise typer.Exit(1) from error
    show([_figures(outcome) for outcome in outcomes], False, COLUMNS)
    say(f"Usage, as the server counted it: {usage.calls} calls, {usage.rows} rows - exactly those made.")
    say(f"A wrong input: {outcomes[-1].refusal}")
    _show_bargain(bargain)
    for outcome in outcomes:
        say(f"POST {server.url}/api/v1/models/{outcome.version.model}/predict")
    say(f"Each has its own schema in {server.url}/docs   Key: {demonstration.key}")
    say(f"Every step held, in {time.monotonic() - started:.0f} s.")


def _show_bargain(bargain: "Bargain") -> None:
    show([_statement(side) for side in bargain.sides], False, STATEMENT_COLUMNS)
    say(
        f"Sold: {bargain.product.name} for {bargain.order.total}; paid after {bargain.seconds:.1f} s, when the local"
        " provider's signed webhook said so."
    )
    say(f"The customer's own key: 404 before, {bargain.calls} answers, then {bargain.refusal}")


def _statement(side: "Side") -> dict[str, object]:
    (item,) = side.statement.items
    figures = (
        side.organization,
        side.role,
        side.statement.month,
        item.name,
        item.calls,
        item.rows,
        f"{item.quota.calls} calls a {item.period}",
        side.statement.status,
        str(item.total),
    )
    return dict(zip(STATEMENT_COLUMNS, figures, strict=True))


def _figures(outcome: "Outcome") -> dict[str, object]:
    name, value = next(iter(outcome.case.metrics.items()))
    figures = (
        f"{outcome.case.name} v{outcome.version.version}",
        outcome.case.estimator,
        "skops" if outcome.case.as_skops else "object",
        f"{name} {value:.3f}",
        outcome.probes,
        outcome.rows,
        f"{outcome.difference:.1e}",
        f"{outcome.milliseconds:.1f}",
    )
    return dict(zip(COLUMNS, figures, strict=True))


def _stay(server: RunningServer) -> None:
    say("The server stays up; Ctrl-C ends it.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.process.wait()
    except KeyboardInterrupt:
        say("Stopping.")
