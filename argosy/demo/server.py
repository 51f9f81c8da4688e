"""A real server in a process of its own, for as long as the demonstration lasts."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READY = "Argosy ready at "
STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that serves."""

    url: str
    process: subprocess.Popen[str]


class ServerFailed(RuntimeError):
    """The server did not start."""


@contextmanager
def running_server(host: str, port: int, data_dir: Path) -> Iterator[RunningServer]:
    """Start `argosy up` and stop it at the end; raises `ServerFailed` with its log when it does not serve."""
    command = [sys.executable, "-m", "argosy", "up", "--host", host, "--port", str(port), "--data-dir", str(data_dir)]
    # A demonstration moves no money, whatever the settings around it say, and hears of payments by webhook only.
    payments = {"ARGOSY_PAYMENTS_PROVIDER": "local", "ARGOSY_PAYMENTS_POLL": "600"}
    environment = {**os.environ, "ARGOSY_LOG_FORMAT": "json", "ARGOSY_LOG_LEVEL": "warning", **payments}
    log = data_dir / "server.log"
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log.open("w") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        )
    try:
        yield RunningServer(_wait_until_ready(process, log), process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    for line in process.stdout:
        if line.startswith(READY):
            # Whatever it prints later must not fill the pipe and block it.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return line.removeprefix(READY).strip()
    raise ServerFailed(f"the server did not start:\n{log.read_text()[-2000:]}")
