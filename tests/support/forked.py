"""`argosy` in processes that are forked from one that has imported it: importing takes longer than the rest of a start.

They are processes as any other, with an environment, files and sockets of their own, and `kill -9` ends them. That the
command starts in a fresh interpreter too is what the tests of the command line and of the demonstration are for.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from argosy.cli.main import run

FORKING = get_context("forkserver")
FORKING.set_forkserver_preload(["tests.support.imported"])


class Forked:
    """One run of `argosy`, with what it prints; stderr is added to a file."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str], log: Path) -> None:
        reader, writer = FORKING.Pipe(duplex=False)
        told = (["argosy", *arguments], dict(environment), Path.cwd(), writer, log)
        # Should a test leave it behind, it ends with the tests.
        self._process = FORKING.Process(target=_become, args=told, daemon=True)
        self._process.start()
        writer.close()
        self.stdout = os.fdopen(os.dup(reader.fileno()))
        reader.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def send_signal(self, number: signal.Signals) -> None:
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def wait(self, seconds: float | None = None) -> int:
        """Return the exit code, which is negative after a signal."""
        self._process.join(seconds)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("argosy", seconds or 0)
        self.stdout.close()
        return code


def _become(arguments: list[str], environment: dict[str, str], folder: Path, output: Connection, log: Path) -> None:
    with log.open("ab") as errors:
        os.dup2(errors.fileno(), 2)
    os.dup2(output.fileno(), 1)
    output.close()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    run()
