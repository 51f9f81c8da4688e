"""Argosy itself: authenticated, validated, versioned and metered, which the others are not."""

import json
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import joblib
import numpy as np

from argosy.client import Argosy as Client
from argosy.demo.server import running_server
from bench.peers.base import Call, Command, Launch, encode, flat
from bench.workloads import Case, Matrix

MOST_COLUMNS = 1000
UNLIMITED = str(10**9)  # by default one key may send 600,000 predictions a minute, which a run exceeds
# As docs/operations.md has it: which proxies are believed is for the application to say.
ASGI = ("--factory", "argosy.asgi:create_app", "--no-proxy-headers", "--no-server-header", "--no-access-log")
PERSON, PASSWORD = "bench", "a sentence makes a good one"


class Argosy:
    """`argosy up` with nothing set but a key's limit; the model is pushed once, then the server started anew.

    Three forms of the inference protocol's and our own requests go to it; `ASGI` is the compact form to the same
    application on plain uvicorn, which anybody may run it on.
    """

    name = "Argosy"
    modes: Sequence[str] = ("compact", "named", "OIP", "OIP binary", "ASGI")
    computes = True

    def install(self) -> str:
        """Nothing to bring: it is what this repository holds."""
        return version("argosy")

    def start(self, case: Case, mode: str, port: int) -> Launch:
        """Push the model, the first time."""
        data = case.folder / "argosy"
        if not (data / "key.json").exists():
            with running_server("127.0.0.1", 0, data) as server:
                (data / "key.json").write_text(json.dumps(push(server.url, case)))
        up: Command = [sys.executable, "-m", "argosy", "up", "--port", str(port), "--data-dir", data]
        plain: Command = [sys.executable, "-m", "uvicorn", *ASGI, "--port", str(port)]
        settings = {"ARGOSY_LOG_LEVEL": "warning", "ARGOSY_RATES_PREDICT": UNLIMITED, "ARGOSY_DATA_DIR": str(data)}
        return Launch(plain if mode == "ASGI" else up, data, settings)

    def call(self, case: Case, mode: str, rows: Matrix) -> Call:
        """Send rows in the signature's order, by name, or as the tensor that the model's graph takes."""
        key = json.loads((case.folder / "argosy" / "key.json").read_text())
        let_in = {"Authorization": f"Bearer {key}"}
        if mode.startswith("OIP"):
            return infer(rows, let_in, binary=mode == "OIP binary")
        values = [[row] for row in rows.tolist()] if is_tensor(case) else rows.tolist()
        named = {"rows": [dict(zip(names(case), row, strict=True)) for row in values]}
        body = encode(named if mode == "named" else {"data": values})
        return Call(f"/api/v1/models/{PERSON}/model/predict", body, let_in)

    def values(self, answer: bytes) -> list[float]:
        """Read the predictions, or the outputs of the inference protocol."""
        content, end = json.JSONDecoder().raw_decode(answer.decode("latin-1"))
        if "predictions" in content:
            return flat(content["predictions"])
        (output,) = content["outputs"]
        return flat(output["data"] if "data" in output else np.frombuffer(answer[end:], "<f4").tolist())


def infer(rows: Matrix, headers: dict[str, str], *, binary: bool) -> Call:
    """Return a request of the inference protocol; a binary one asks for a binary answer too."""
    path = f"/v2/models/{PERSON}/model/infer"
    tensor: dict[str, Any] = {"name": "X", "shape": rows.shape, "datatype": "FP32"}
    if not binary:
        return Call(path, encode({"inputs": [tensor | {"data": rows.reshape(-1).tolist()}]}), headers)
    raw = rows.astype("<f4").tobytes()
    head = encode(
        {
            "inputs": [tensor | {"parameters": {"binary_data_size": len(raw)}}],
            "parameters": {"binary_data_output": True},
        }
    )
    sizes = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
    return Call(path, head + raw, headers | sizes)


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
