"""Argosy itself: authenticated, validated, versioned and metered, which the others are not."""

import json
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import joblib

from argosy.client import Argosy as Client
from argosy.demo.server import running_server
from bench.peers.base import Call, Command, Launch, encode, flat
from bench.workloads import Case, Matrix

MOST_COLUMNS = 1000
PERSON, PASSWORD = "bench", "a sentence makes a good one"


class Argosy:
    """`argosy up` with an empty configuration; the model is pushed once, then the server started anew."""

    name = "Argosy"
    modes: Sequence[str] = ("compact", "named")
    computes = True

    def install(self) -> str:
        """Nothing to bring: it is what this repository holds."""
        return version("argosy")

    def start(self, case: Case, mode: str, port: int) -> Launch:  # noqa: ARG002 - both forms go to the same server
        """Push the model, the first time."""
        data = case.folder / "argosy"
        if not (data / "key.json").exists():
            with running_server("127.0.0.1", 0, data) as server:
                (data / "key.json").write_text(json.dumps(push(server.url, case)))
        command: Command = [sys.executable, "-m", "argosy", "up", "--port", str(port), "--data-dir", data]
        return Launch(command, data, {"ARGOSY_LOG_LEVEL": "warning"})

    def call(self, case: Case, mode: str, rows: Matrix) -> Call:
        """Send rows in the signature's order, or by name."""
        key = json.loads((case.folder / "argosy" / "key.json").read_text())
        values = [[row] for row in rows.tolist()] if is_tensor(case) else rows.tolist()
        named = {"rows": [dict(zip(names(case), row, strict=True)) for row in values]}
        body = encode(named if mode == "named" else {"data": values})
        return Call(f"/api/v1/models/{PERSON}/model/predict", body, {"Authorization": f"Bearer {key}"})

    def values(self, answer: Any) -> list[float]:  # noqa: ANN401 - any JSON
        """Read the predictions."""
        return flat(answer["predictions"])


def is_tensor(case: Case) -> bool:
    """Whether the features are one input: nobody names thousands, and a push would probe each of them."""
    return case.workload.features > MOST_COLUMNS


def names(case: Case) -> list[str]:
    """Return the names of the inputs."""
    return ["X"] if is_tensor(case) else [f"feature_{index}" for index in range(case.workload.features)]


def push(url: str, case: Case) -> str:
    """Make an account, push the model and return a key."""
    with Client(url) as anonymous:
        anonymous.register("bench@example.org", PERSON, PASSWORD)
    with Client(url, username=PERSON, password=PASSWORD) as person:
        key = person.create_api_key("bench", ["models:read", "models:write", "predict"]).key or ""
    with Client(url, api_key=key, organization=PERSON) as client:
        if is_tensor(case):
            client.push(case.onnx, name="model")
        else:
            sample = dict(zip(names(case), case.inputs[0].T.tolist(), strict=True))
            client.push(joblib.load(case.estimator), name="model", sample=sample)
    return key
