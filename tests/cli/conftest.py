"""A home folder of one's own, and `argosy` in it, as a user types it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.console import ConsoleDimensions
from typer.testing import CliRunner, Result

from argosy.cli import console
from argosy.cli.main import app
from argosy.client import Argosy
from tests.client.accounts import new_account
from tests.support.callers import PASSWORD
from tests.support.servers import ServerProcess


@dataclass
class Terminal:
    """Runs `argosy` with an environment that has nothing of this one's."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def credentials(self) -> Path:
        return self.home / ".config" / "argosy" / "credentials.json"

    def run(self, *arguments: str, code: int = 0, typed: str = "") -> subprocess.CompletedProcess[str]:
        done = self.start(*arguments).communicate(typed)
        return self.check(done, arguments, code)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ARGOSY_", "XDG_"))}
        kept.pop("COLUMNS", None)
        self._last = subprocess.Popen(
            [sys.executable, "-m", "argosy", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**kept, "HOME": str(self.home), **self.environment},
        )
        return self._last

    def check(self, done: tuple[str, str], arguments: tuple[str, ...], code: int) -> subprocess.CompletedProcess[str]:
        stdout, stderr = done
        assert self._last.returncode == code, stdout + stderr
        assert "Traceback" not in stderr
        return subprocess.CompletedProcess(arguments, code, stdout, stderr)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)


class Shell:
    """Runs commands in this process: starting Python for each would take most of the time."""

    def __init__(self, home: Path, url: str, key: str | None) -> None:
        unset = {name: None for name in os.environ if name.startswith(("ARGOSY_", "XDG_"))}
        self.environment: dict[str, str | None] = {**unset, "HOME": str(home), "ARGOSY_URL": url}
        self.credentials = home / ".config" / "argosy" / "credentials.json"
        if key:
            self.environment["ARGOSY_API_KEY"] = key

    def run(self, *arguments: str, code: int = 0, typed: str = "") -> str:
        """Run a command; return what it printed, and said on standard error."""
        return self._invoke(arguments, code, typed).output

    def printed(self, *arguments: str) -> str:
        return self._invoke(arguments).stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.printed(*arguments, "--json"))

    def _invoke(self, arguments: tuple[str, ...], code: int = 0, typed: str = "") -> Result:
        # The console was made when it was imported, for the terminal of that moment, which may be a narrow one.
        console.out.size = console.err.size = ConsoleDimensions(200, 50)
        done = CliRunner().invoke(app, arguments, env=self.environment, input=typed, catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done


@pytest.fixture
def account(server: ServerProcess) -> Iterator[Argosy]:
    with new_account(server) as client:
        yield client


@pytest.fixture
def terminal(account: Argosy, tmp_path: Path) -> Terminal:
    """A terminal that calls with the API key of a new account."""
    return Terminal(tmp_path, {"ARGOSY_URL": account.url, "ARGOSY_API_KEY": str(account._api_key)})


@pytest.fixture
def shell(account: Argosy, tmp_path: Path) -> Shell:
    """Commands in this process, with the API key of a new account."""
    return Shell(tmp_path, account.url, account._api_key)


@pytest.fixture
def signed_in(account: Argosy, tmp_path: Path) -> Shell:
    """Commands in this process, by a new account that has signed in with its password."""
    return sign_in(account, tmp_path)


def sign_in(account: Argosy, home: Path) -> Shell:
    home.mkdir(exist_ok=True)
    shell = Shell(home, account.url, None)
    shell.run("login", "--username", str(account.organization), typed=f"{PASSWORD}\n")
    return shell
