"""What the command line prints, stores and costs, against a real server."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from argosy.cli.main import Commands, app
from argosy.client import Argosy
from tests.cli.conftest import Terminal
from tests.support.callers import PASSWORD
from tests.support.models import classifier_sample, linear_classifier

SERVER = ("fastapi", "sqlalchemy", "uvicorn", "onnxruntime", "polars", "sklearn", "pandas")


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "sizes.onnx").write_bytes(linear_classifier())
    (tmp_path / "sample.json").write_text(json.dumps(classifier_sample()))
    return str(tmp_path / "sizes.onnx"), str(tmp_path / "sample.json")


def test_client_commands_import_nothing_of_the_server() -> None:
    modules = (
        "models", "versions", "aliases", "keys", "clients", "organizations", "audit", "users", "account", "jobs",
        "usage", "predict", "push", "login",
    )  # fmt: skip
    imports = ", ".join(f"argosy.cli.{module}" for module in modules)
    code = f"import sys, {imports}; print(sorted(set(sys.modules) & set({SERVER!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_lists_every_command_without_importing_any(terminal: Terminal) -> None:
    shown = terminal.run("--help").stdout
    for name in Commands.lazy:
        assert f" {name} " in shown
        single = CliRunner().invoke(app, [name, "--help"])
        assert (single.exit_code, f"argosy {name}" in single.output) == (0, True), single.output
    assert "No such command" in terminal.run("nothing", code=2).stderr


def test_a_push_shows_parity_and_a_call_that_works(terminal: Terminal, files: tuple[str, str]) -> None:
    file, sample = files
    done = terminal.run("push", file, "--name", "sizes", "--sample", sample, "--tag", "a", "--public")
    assert "sample" in done.stdout
    assert "labels_equal" in done.stdout
    command = done.stdout[done.stdout.index("curl ") :].replace("ak_…", terminal.environment["ARGOSY_API_KEY"])
    answer = subprocess.run(["sh", "-c", f"{command.strip()} -s"], capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout)["version"] == 1
    assert terminal.json("models", "get", "sizes")["visibility"] == "public"
    assert terminal.json("versions", "get", "sizes", "1")["tags"] == ["a"]


def test_a_push_without_answers_says_that_nothing_was_compared(terminal: Terminal, files: tuple[str, str]) -> None:
    assert "not compared" in terminal.run("push", files[0], "--name", "sizes").stdout


def test_predictions_from_files_of_every_kind(terminal: Terminal, files: tuple[str, str], tmp_path: Path) -> None:
    terminal.run("push", files[0], "--name", "sizes", "--sample", files[1])
    (tmp_path / "rows.csv").write_text("width,height\n3,4\n0.1,0.2\n")
    (tmp_path / "rows.json").write_text('{"rows": [{"width": 3, "height": 4}, {"width": 0.1, "height": 0.2}]}')
    for name in ("rows.csv", "rows.json"):
        answer = terminal.json("predict", "sizes", "--file", str(tmp_path / name))
        assert [one["label"] for one in answer["predictions"]] == ["large", "small"]
    assert "large" in terminal.run("predict", "sizes", "--rows", "[[3, 4]]", "--version", "1").stdout
    assert "large" in terminal.run("predict", "sizes", "--rows", '{"width": 3, "height": 4}', "--alias", "live").stdout


def test_errors_name_the_field_on_standard_error(terminal: Terminal, files: tuple[str, str]) -> None:
    terminal.run("push", files[0], "--name", "sizes", "--sample", files[1])
    done = terminal.run("predict", "sizes", "--rows", '[{"width": "wide", "height": 1}]', code=1)
    assert "rows.0.width: " in done.stderr
    assert done.stdout == ""
    assert "is not JSON" in terminal.run("predict", "sizes", "--rows", "{", code=2).stderr
    assert "infinity" in terminal.run("predict", "sizes", "--rows", "[[Infinity, 1]]", code=2).stderr
    assert "--description" in terminal.run("models", "update", "sizes", code=2).stderr


def test_what_a_name_holds_is_no_markup(terminal: Terminal) -> None:
    terminal.run("models", "create", "odd", "--description", "[red]stop[/nothing]", "--tag", "t", "--task", "demo")
    assert "[red]stop[/nothing]" in terminal.run("models", "get", "odd").stdout
    assert "'odd/[/nothing]' should be" in terminal.run("predict", "odd/[/nothing]", "--rows", "{}", code=2).stderr
    assert "[red]x=y" in terminal.run("push", "file", "--name", "odd", "--metric", "[red]x=y", code=2).stderr
    assert terminal.json("models", "update", "odd", "--description", "")["description"] is None


def test_what_is_piped_is_not_cut(terminal: Terminal) -> None:
    name = "a-model-with-a-name-that-is-longer-than-most"
    terminal.run("models", "create", name)
    assert name in terminal.run("models", "list").stdout


def test_every_deletion_says_what_it_did(terminal: Terminal, files: tuple[str, str]) -> None:
    terminal.run("push", files[0], "--name", "sizes")
    terminal.run("alias", "set", "sizes", "extra", "1")
    assert terminal.json("alias", "remove", "sizes", "extra") == {"removed": "extra"}
    assert "Aborted" in terminal.run("models", "delete", "sizes", code=1, typed="n\n").stderr
    assert terminal.json("models", "delete", "sizes", "--yes") == {"deleted": "sizes"}


def test_organizations_and_their_members(terminal: Terminal, account: Argosy) -> None:
    terminal.environment.pop("ARGOSY_API_KEY")
    terminal.run("login", "--username", str(account.organization), typed=f"{PASSWORD}\n")
    team = f"{account.organization}-team"
    assert terminal.json("orgs", "create", team, "Team")["slug"] == team
    assert {one["slug"] for one in terminal.json("orgs", "list")} == {account.organization, team}
    assert terminal.json("orgs", "show", team)["name"] == "Team"
    assert [one["role"] for one in terminal.json("orgs", "members", team)] == ["owner"]
    key = terminal.json("keys", "create", "k", "--scope", "models:read")
    assert terminal.json("keys", "revoke", key["id"]) == {"revoked": key["id"]}


def test_a_failed_command_does_not_end_the_sign_in(terminal: Terminal, account: Argosy) -> None:
    terminal.environment.pop("ARGOSY_API_KEY")
    terminal.run("login", "--username", str(account.organization), typed=f"{PASSWORD}\n")
    for _ in range(2):
        assert "not found" in terminal.run("models", "get", "nothing", code=1).stderr
    assert terminal.json("models", "list") is not None
    assert terminal.credentials.stat().st_mode & 0o777 == 0o600


def test_commands_at_once_share_a_sign_in(terminal: Terminal, account: Argosy) -> None:
    terminal.environment.pop("ARGOSY_API_KEY")
    terminal.run("login", "--username", str(account.organization), typed=f"{PASSWORD}\n")
    together = [terminal.start("models", "list", "--json") for _ in range(4)]
    assert [process.communicate()[1] for process in together] == [""] * 4
    assert [process.returncode for process in together] == [0] * 4
    terminal.run("models", "list")


def test_a_key_with_one_scope_is_enough_to_predict(terminal: Terminal, account: Argosy, files: tuple[str, str]) -> None:
    terminal.run("push", files[0], "--name", "sizes", "--sample", files[1])
    with Argosy(account.url, username=account.organization, password=PASSWORD) as person:
        terminal.environment["ARGOSY_API_KEY"] = str(person.create_api_key("p", ["predict"]).key)
    assert "large" in terminal.run("predict", "sizes", "--rows", "[[3, 4]]").stdout
    assert "models:read" in terminal.run("push", files[0], "--name", "sizes", code=1).stderr


def test_usage_counts_what_was_called(terminal: Terminal, files: tuple[str, str], tmp_path: Path) -> None:
    terminal.run("push", files[0], "--name", "sizes", "--sample", files[1])
    terminal.run("predict", "sizes", "--rows", "[[3, 4], [0, 0]]")
    found = terminal.json("usage", "--by", "model", "--model", "sizes")
    for _ in range(10):
        if found["calls"]:
            break
        found = terminal.json("usage", "--by", "model", "--model", "sizes")
    assert (found["calls"], found["rows"]) == (1, 2)
    assert "1 calls, 2 rows, 0 refused, 0 errors" in terminal.run("usage", "--since", "2020-01-01").stdout
    assert "p95_ms" in terminal.run("usage", "--by", "day", "--sort", "-day").stdout
    saved = tmp_path / "usage.csv"
    assert "usage.csv" in terminal.run("usage", "--output", str(saved)).stdout
    assert len(saved.read_text().splitlines()) == 2
    assert terminal.json("jobs", "list", "--status", "failed") == []
