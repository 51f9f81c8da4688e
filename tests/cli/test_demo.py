"""`argosy demo`: the whole path, as a newcomer runs it."""

import re
import signal
import time

import httpx2
import pytest
from typer.testing import CliRunner

from argosy.cli.main import app
from argosy.demo import cases, steps
from tests.cli.conftest import Terminal


def test_a_server_that_cannot_start_is_told(terminal: Terminal) -> None:
    terminal.environment["ARGOSY_REGISTRATION"] = "maybe"
    assert "ARGOSY_REGISTRATION" in terminal.run("demo", "--exit", code=1).stderr
    terminal.environment["ARGOSY_REGISTRATION"] = "closed"
    assert "ask an administrator" in terminal.run("demo", "--exit", code=1).stderr


def test_it_ends_with_0_when_every_step_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "CASES", (cases.iris,))
    done = CliRunner().invoke(app, ["demo", "--exit"])
    assert done.exit_code == 0, done.output
    assert "Every step held" in done.output


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("TOLERANCE", -1.0, "iris: answers differ"), ("UNPROCESSABLE", 400, "iris: a wrong value was answered with 422")],
)
def test_a_step_that_does_not_hold_ends_it_with_1(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str, value: float, said: str
) -> None:
    monkeypatch.setattr(steps, name, value)
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
    assert time.monotonic() - started < 60
    for name in ("iris", "breast-cancer", "diabetes", "digits", "clinic"):
        assert f"{name} v1" in shown
    assert "exactly those made" in shown
    assert re.search(r"A wrong input: 422 rows\.0\.\w+", shown)
    assert "Every step held" in shown
    answer = httpx2.get(f"{url}/api/v1/models", headers={"Authorization": f"Bearer {key}"})
    assert len(answer.json()["items"]) == 5
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=40)
    assert process.returncode == 0
