"""What a compared server is: how it comes, starts, is asked and answers."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from bench.workloads import Case, Matrix

ROOT = Path(__file__).parent.parent.parent
CACHE = ROOT / ".bench"
APPS = ROOT / "bench" / "apps"
INSTALL_SECONDS = 900

Command = Sequence[str | Path]


class Unavailable(Exception):
    """A server cannot take part; the message says why."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a server is started."""

    command: Command
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """A request for predictions."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self, port: int) -> bytes:
        """Return the bytes to send, once and for all."""
        headers = {
            "Host": f"127.0.0.1:{port}",
            "Content-Type": "application/json",
            "Content-Length": str(len(self.body)),
            **self.headers,
        }
        lines = [f"POST {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


class Peer(Protocol):
    """A server under comparison; of its modes the best is shown. One that does not compute answers a constant."""

    name: str
    modes: Sequence[str]
    computes: bool

    def install(self) -> str:
        """Bring what the server needs and return its version; raises `Unavailable`."""

    def start(self, case: Case, mode: str, port: int) -> Launch:
        """Write what the server needs to serve a case's model, and return how it is started."""

    def call(self, case: Case, mode: str, rows: Matrix) -> Call:
        """Return the request for predictions of rows."""

    def values(self, answer: bytes) -> list[float]:
        """Return the values in the body of an answer."""


class Installed:
    """What peers with an environment of their own share: one made by uv, with the model's own library versions.

    uvicorn's fast parser and event loop are in each of them: its documentation recommends both, and not all bring them.
    """

    name: str
    packages: Sequence[str]
    computes = True

    @property
    def bin(self) -> Path:
        """The folder of the environment's commands."""
        return CACHE / self.name.split()[0].lower() / "venv" / "bin"

    def install(self) -> str:
        """Make the environment unless it is there; raises `Unavailable`."""
        pinned = [f"{package}=={version(package)}" for package in ("numpy", "onnxruntime", "scikit-learn")]
        wanted = [*self.packages, "uvicorn[standard]", *pinned]
        stamp = self.bin.parent / "installed.json"
        if not stamp.exists() or json.loads(stamp.read_text()) != wanted:
            uv = os.environ.get("UV", "uv")
            _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, self.bin.parent])
            _run([uv, "pip", "install", "--quiet", "--python", self.bin / "python", *wanted])
            stamp.write_text(json.dumps(wanted))
        package = self.packages[0].partition("[")[0]
        code = f"from importlib.metadata import version; print(version({package!r}))"
        return _run([self.bin / "python", "-c", code]).strip()

    def run(self, *arguments: str | Path) -> None:
        """Run a program of the environment to its end; raises `Unavailable`."""
        _run([self.bin / "python", *arguments])


def _run(command: Command) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from error
    if done.returncode:
        raise Unavailable(done.stderr.strip()[-300:] or f"ended with {done.returncode}")
    return done.stdout


def encode(content: object) -> bytes:
    """Write JSON as clients of an API do, without spaces."""
    return json.dumps(content, separators=(",", ":")).encode()


def flat(values: Any) -> list[float]:  # noqa: ANN401 - any JSON
    """Return the numbers in nested lists and objects, in their order."""
    if isinstance(values, dict):
        values = list(values.values())
    return [number for value in values for number in flat(value)] if isinstance(values, list) else [float(values)]
