"""What to compare with besides other products: a bare server, and what one writes by hand."""

import json
import sys
from collections.abc import Sequence
from importlib.metadata import version

from bench.peers.base import ROOT, Call, Command, Launch, encode, flat
from bench.workloads import Case, Matrix


class Bare:
    """uvicorn with a constant answer of the right length: no server on it can be faster."""

    name = "bare"
    modes: Sequence[str] = ("constant",)
    computes = False

    def install(self) -> str:
        """Nothing to bring: uvicorn is a dependency of Argosy."""
        return version("uvicorn")

    def start(self, case: Case, mode: str, port: int) -> Launch:  # noqa: ARG002 - it has one mode
        """Write the constant."""
        constant = case.folder / "constant.json"
        constant.write_bytes(encode({"values": case.answers[0].tolist()}))
        return Launch([sys.executable, "-m", "bench.apps.bare", constant, str(port)], ROOT)

    def call(self, case: Case, mode: str, rows: Matrix) -> Call:  # noqa: ARG002 - all cases are asked alike
        """Send rows as lists."""
        return Call("/", encode({"rows": rows.tolist()}))

    def values(self, answer: bytes) -> list[float]:
        """Read the constant."""
        return flat(json.loads(answer)["values"])


class ByHand:
    """A typed FastAPI route, in a thread or on the event loop; no key, no count, no versions."""

    name = "FastAPI by hand"
    modes: Sequence[str] = ("onnx", "onnx, inline", "sklearn")
    computes = True

    def install(self) -> str:
        """Nothing to bring: FastAPI is a dependency of Argosy."""
        return version("fastapi")

    def start(self, case: Case, mode: str, port: int) -> Launch:
        """Start it on the files of the case."""
        command: Command = [sys.executable, "-m", "bench.apps.by_hand", case.folder, mode.partition(",")[0], str(port)]
        return Launch(command, ROOT)

    def call(self, case: Case, mode: str, rows: Matrix) -> Call:  # noqa: ARG002 - all cases are asked alike
        """Send rows as lists."""
        return Call("/predict-inline" if "inline" in mode else "/predict", encode({"rows": rows.tolist()}))

    def values(self, answer: bytes) -> list[float]:
        """Read the values."""
        return flat(json.loads(answer)["values"])
