"""A server process that can be started, killed and started again on the same data; and the application elsewhere."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from argosy.client import Argosy
from tests.support.callers import ALL_SCOPES, PASSWORD
from tests.support.forked import Forked

READY = "Argosy ready at "
GRPC = "Argosy speaks gRPC at "
UVICORN = [sys.executable, "-m", "uvicorn", "--factory", "argosy.asgi:create_app", "--no-access-log", "--port"]


@contextmanager
def plain_uvicorn(data_dir: Path) -> Iterator[str]:
    """Run the application as any ASGI server does; yields its URL."""
    port, environment = free_port(), {**os.environ, "ARGOSY_DATA_DIR": str(data_dir)}
    process = subprocess.Popen([*UVICORN, str(port)], stderr=subprocess.DEVNULL, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        while not is_ready(url):
            assert process.poll() is None
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz").status_code == httpx2.codes.OK
    except httpx2.TransportError:
        return False


class ServerProcess:
    def __init__(self, data_dir: Path, **environment: str) -> None:
        self.data_dir = data_dir
        quick = {"ARGOSY_USAGE_FLUSH": "0.2", "ARGOSY_PAYMENTS_LOCAL_DELAY": "0.1"}
        self._environment = {**os.environ, "ARGOSY_LOG_LEVEL": "warning", **quick, **environment}
        self._process: Forked | None = None
        self.url = ""
        self.grpc = ""

    def start(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        arguments = ["up", "--port", "0", "--data-dir", str(self.data_dir)]
        log = self.data_dir.parent / "server.log"
        self._process = Forked(arguments, self._environment, log)
        for line in self._process.stdout:
            if line.startswith(GRPC):
                self.grpc = line.removeprefix(GRPC).strip()
            if line.startswith(READY):
                self.url = line.removeprefix(READY).strip()
                return
        raise AssertionError(log.read_text()[-3000:])

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """kill -9: no handler, no flush."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(40)

    def new_client(self) -> Argosy:
        username = f"user-{secrets.token_hex(4)}"
        with Argosy(self.url) as anonymous:
            anonymous.register(f"{username}@example.org", username, PASSWORD)
        with Argosy(self.url, username=username, password=PASSWORD) as person:
            key = person.create_api_key("tests", ALL_SCOPES).key
        return Argosy(self.url, api_key=key, organization=username)
