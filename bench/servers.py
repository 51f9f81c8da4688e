"""Starts a server, waits for its first right answer, and ends it with all its processes."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench import processes
from bench.peers.base import Call, Launch, Peer, Unavailable
from bench.workloads import Case, check

START_SECONDS = 120
STOP_SECONDS = 10
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Server:
    """A server that gave a right answer."""

    peer: Peer
    mode: str
    case: Case
    port: int
    pid: int
    start_seconds: float

    def requests(self) -> list[bytes]:
        """Return the bytes of a request for each of the case's inputs."""
        return [self.peer.call(self.case, self.mode, rows).encode(self.port) for rows in self.case.inputs]

    def check(self, index: int, answer: bytes) -> None:
        """Compare an answer to one of the requests with the model's; raises `WrongAnswer`."""
        expected = self.case.answers[index if self.peer.computes else 0]
        check(self.peer.values(answer), expected)


@contextmanager
def running(peer: Peer, mode: str, case: Case) -> Iterator[Server]:
    """Start a server for a case; raises `Unavailable` when it does not, `WrongAnswer` when it answers wrongly."""
    port = _free_port()
    launch = peer.start(case, mode, port)
    log = case.folder / f"{peer.name}, {mode}.log".replace(" ", "-")
    started = time.perf_counter()
    process = _spawn(launch, log)
    try:
        _wait_until_right(peer, case, peer.call(case, mode, case.inputs[0]), port, process, log)
        yield Server(peer, mode, case, port, process.pid, time.perf_counter() - started)
    finally:
        _end(process)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _spawn(launch: Launch, log: Path) -> subprocess.Popen[bytes]:
    # An active environment of the caller is not the server's.
    outer = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    with log.open("wb") as output:
        return subprocess.Popen(
            launch.command,
            cwd=launch.folder,
            env={**outer, **launch.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


def _wait_until_right(
    peer: Peer, case: Case, call: Call, port: int, process: subprocess.Popen[bytes], log: Path
) -> None:
    ends, seen = time.perf_counter() + START_SECONDS, "no connection"
    while time.perf_counter() < ends:
        if process.poll() is not None:
            raise Unavailable(f"it ended: {_last_line(log)}")
        with suppress(OSError, http.client.HTTPException):
            status, body = _ask(port, call)
            if status == 200:
                check(peer.values(body), case.answers[0])
                return
            seen = f"status {status}: {body[:200]!r}"
        time.sleep(POLL_SECONDS)
    raise Unavailable(f"no answer in {START_SECONDS} s; {seen}")


def _ask(port: int, call: Call) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("POST", call.path, call.body, {"Content-Type": "application/json", **call.headers})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][-200:] if lines else "without a word"


def _end(process: subprocess.Popen[bytes]) -> None:
    members = processes.tree(process.pid)
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    for pid in members:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
