"""A server process that can be started, killed and started again on the same data."""

import os
import secrets
import signal
from pathlib import Path

from argosy.client import Argosy
from tests.support.callers import ALL_SCOPES, PASSWORD
from tests.support.forked import Forked

READY = "Argosy ready at "
GRPC = "Argosy speaks gRPC at "


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
