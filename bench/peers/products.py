"""The peers: other products that serve a model, each in its own environment."""

import json
import os
from collections.abc import Sequence
from typing import Any

from bench.peers.base import ROOT, Call, Command, Installed, Launch, encode, flat
from bench.workloads import Case, Matrix

PYTHONPATH = {"PYTHONPATH": str(ROOT)}


class LitServe(Installed):
    """Its first example; also with its ZeroMQ queue, and batched."""

    name = "LitServe"
    packages: Sequence[str] = ("litserve", "pyzmq")
    modes: Sequence[str] = ("onnx", "onnx, ZeroMQ", "onnx, batched", "sklearn")

    def start(self, case: Case, mode: str, port: int) -> Launch:
        """Start it on the files of the case."""
        command: Command = [self.bin / "python", "-m", "bench.apps.litserve_app", case.folder, mode, str(port)]
        return Launch(command, case.folder, PYTHONPATH)

    def call(self, case: Case, mode: str, rows: Matrix) -> Call:  # noqa: ARG002 - all cases are asked alike
        """Send rows as lists."""
        return Call("/predict", encode({"rows": rows.tolist()}))

    def values(self, answer: bytes) -> list[float]:
        """Read the values."""
        return flat(json.loads(answer)["values"])


class RayServe(LitServe):
    """One replica; also with the settings it documents for high throughput."""

    name = "Ray Serve"
    packages: Sequence[str] = ("ray[serve]",)
    modes: Sequence[str] = ("onnx", "onnx, throughput", "sklearn, throughput")

    def start(self, case: Case, mode: str, port: int) -> Launch:
        """Start it on the files of the case."""
        model, _, throughput = mode.partition(", ")
        command: Command = [self.bin / "python", "-m", "bench.apps.ray_app", case.folder, model, str(port)]
        optimized = "1" if throughput else "0"
        settings = {
            "RAY_SERVE_ENABLE_HA_PROXY": optimized,
            "RAY_SERVE_THROUGHPUT_OPTIMIZED": optimized,
            "RAY_USAGE_STATS_ENABLED": "0",
            # Below `uv run`, as in `make bench`, it starts its workers with that command too, in a copy without uv.
            "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        }
        return Launch(command, case.folder, PYTHONPATH | settings)


class BentoML(LitServe):
    """One worker, with and without adaptive batching."""

    name = "BentoML"
    packages: Sequence[str] = ("bentoml",)
    modes: Sequence[str] = ("onnx", "onnx, batched", "sklearn, batched")

    def start(self, case: Case, mode: str, port: int) -> Launch:
        """Serve the service's class."""
        command: Command = [self.bin / "bentoml", "serve", "bench.apps.bentoml_app:Model", "--port", str(port)]
        settings = {"BENCH_MODE": mode, "BENCH_MODEL": str(case.folder), "BENTOML_HOME": str(case.folder / "bentoml")}
        return Launch(command, ROOT, PYTHONPATH | settings | {"BENTOML_DO_NOT_TRACK": "True"})

    def values(self, answer: bytes) -> list[float]:
        """Read the array."""
        return flat(json.loads(answer))


class MLServer(Installed):
    """Its scikit-learn runtime or a custom one for ONNX; inference in a worker, its default, or in the server."""

    name = "MLServer"
    # Its workers do not start with uvloop 0.22, which makes no event loop unasked any more.
    packages: Sequence[str] = ("mlserver", "mlserver-sklearn", "uvloop<0.22")
    modes: Sequence[str] = ("onnx, no worker", "onnx, batched", "onnx", "sklearn, no worker", "sklearn")

    def start(self, case: Case, mode: str, port: int) -> Launch:
        """Write its two files of settings; `debug` off is its documentation's word for production."""
        folder = case.folder / f"mlserver-{mode.replace(', ', '-').replace(' ', '-')}"
        folder.mkdir(exist_ok=True)
        model, _, how = mode.partition(", ")
        ports = {"http_port": port, "grpc_port": 0, "metrics_endpoint": None}
        workers = 0 if how else 1
        server = {"debug": False, "host": "127.0.0.1", "parallel_workers": workers, **ports}
        (folder / "settings.json").write_text(json.dumps(server))
        runtime = {"onnx": "bench.apps.mlserver_runtime.OnnxModel", "sklearn": "mlserver_sklearn.SKLearnModel"}[model]
        uri = case.folder if model == "onnx" else case.estimator
        settings: dict[str, Any] = {"name": "model", "implementation": runtime, "parameters": {"uri": str(uri)}}
        if how == "batched":
            settings |= {"max_batch_size": 64, "max_batch_time": 0.002}
        (folder / "model-settings.json").write_text(json.dumps(settings))
        return Launch([self.bin / "mlserver", "start", folder], folder, PYTHONPATH)

    def call(self, case: Case, mode: str, rows: Matrix) -> Call:  # noqa: ARG002 - all cases are asked alike
        """Ask in the Open Inference Protocol, the numbers flat."""
        tensor = {"name": "X", "shape": list(rows.shape), "datatype": "FP32", "data": rows.ravel().tolist()}
        return Call("/v2/models/model/infer", encode({"inputs": [tensor]}))

    def values(self, answer: bytes) -> list[float]:
        """Read the output tensor."""
        return flat(json.loads(answer)["outputs"][0]["data"])


class MLflow(Installed):
    """`mlflow models serve` on a saved model with a signature."""

    name = "MLflow"
    packages: Sequence[str] = ("mlflow", "onnx")
    modes: Sequence[str] = ("onnx", "sklearn")

    def start(self, case: Case, mode: str, port: int) -> Launch:
        """Save the model, the first time."""
        model = case.folder / f"mlflow-{mode}"
        if not model.exists():
            self.run(ROOT / "bench/apps/mlflow_save.py", case.folder, mode, str(case.workload.features))
        options = ["--env-manager", "local", "--workers", "1", "--port", str(port)]
        # It starts uvicorn by name.
        path = {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}"}
        return Launch([self.bin / "mlflow", "models", "serve", "-m", model, *options], case.folder, path)

    def call(self, case: Case, mode: str, rows: Matrix) -> Call:  # noqa: ARG002 - all cases are asked alike
        """Send a tensor as lists."""
        return Call("/invocations", encode({"inputs": rows.tolist()}))

    def values(self, answer: bytes) -> list[float]:
        """Read the predictions, named or not."""
        return flat(json.loads(answer)["predictions"])
