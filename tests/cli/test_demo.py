"""`argosy demo`: the whole path, as a newcomer runs it."""

import re
import signal
import time
from types import ModuleType

import httpx2
import pytest
from rich.console import ConsoleDimensions
from typer.testing import CliRunner

from argosy.cli import console
from argosy.cli.main import app
from argosy.demo import cases, steps, trade
from tests.cli.conftest import Terminal


def test_a_server_that_cannot_start_is_told(terminal: Terminal) -> None:
    terminal.environment["ARGOSY_REGISTRATION"] = "maybe"
    assert "ARGOSY_REGISTRATION" in terminal.run("demo", "--exit", code=1).stderr
    terminal.environment["ARGOSY_REGISTRATION"] = "closed"
    assert "ask an administrator" in terminal.run("demo", "--exit", code=1).stderr


def test_it_ends_with_0_when_every_step_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "CASES", (cases.iris,))
    console.out.size = ConsoleDimensions(200, 50)
    done = CliRunner().invoke(app, ["demo", "--exit"])
    assert done.exit_code == 0, done.output
    assert "Every step held" in done.output
    assert_sold_within_its_quota(done.output)


def assert_sold_within_its_quota(shown: str) -> None:
    """The statements of the customer and of the vendor say the same: 20 calls of 5 rows, for what the order cost."""
    told = r"│ demo-\w{6} +│ %s +│ 20\d\d-\d\d +│ iris by the call +│ 20 +│ 100 +│ 20 calls a month +│"
    told += r" fulfilled +│ 19\.99 EUR +│"
    for side in ("customer", "vendor"):
        assert re.search(told.replace("%s", side), shown), shown
    assert "Sold: iris by the call for 19.99 EUR; paid after" in shown
    assert "404 before, 20 answers, then 429 quota-exceeded" in shown


@pytest.mark.parametrize(
    ("module", "name", "value", "said"),
    [
        (steps, "TOLERANCE", -1.0, "iris: answers differ"),
        (steps, "UNPROCESSABLE", 400, "iris: a wrong value was answered with 422"),
        (trade, "TOO_MANY", 400, "after 20 calls the answer was 429"),
    ],
)
def test_a_step_that_does_not_hold_ends_it_with_1(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    module: ModuleType,
    name: str,
    value: float,
    said: str,
) -> None:
    monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(cases, "CASES", (cases.iris,))
    done = CliRunner().invoke(app, ["demo", "--exit"])
    assert done.exit_code == 1
    assert said in done.output + capfd.readouterr().err
    assert "Every step held" not in done.output


def test_every_step_holds_and_the_server_stays_up_until_it_is_interrupted(terminal: Terminal) -> None:
    started = time.monotonic()
    process = terminal.start("demo")
    assert process.stdout is not None
    shown = url = key = ""
    for line in process.stdout:
        shown += line
        if found := re.search(r"in (http://\S+)/docs   Key: (ak_\S+)", line):
            url, key = found.groups()
        if "stays up" in line:
            break
    assert time.monotonic() - started < 90
    for name in ("iris", "breast-cancer", "diabetes", "digits", "clinic"):
        assert f"{name} v1" in shown
    assert "exactly those made" in shown
    assert_sold_within_its_quota(shown)
    assert re.search(r"A wrong input: 422 rows\.0\.\w+", shown)
    assert "Every step held" in shown
    answer = httpx2.get(f"{url}/api/v1/models", headers={"Authorization": f"Bearer {key}"})
    assert len(answer.json()["items"]) == 5
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=40)
    assert process.returncode == 0
