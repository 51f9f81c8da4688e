"""The model behind LitServe, after its first example; batched as its documentation shows when asked to."""

import sys
from pathlib import Path
from typing import Any

import litserve
import numpy as np

from bench.apps.models import load


class Model(litserve.LitAPI):  # type: ignore[misc] # it is installed in its own environment only
    """One request at a time."""

    def __init__(self, mode: str, folder: Path, **batching: float) -> None:
        super().__init__(**batching)
        self.mode, self.folder = mode, folder

    def setup(self, device: str) -> None:  # noqa: ARG002 - its interface
        """Load the model in the worker."""
        self.model = load(self.mode, self.folder)

    def decode_request(self, request: dict[str, Any]) -> Any:  # noqa: ANN401 - its interface
        """Read the rows."""
        return np.array(request["rows"], dtype=np.float32)

    def predict(self, rows: Any) -> Any:  # noqa: ANN401 - its interface
        """Run the model."""
        return self.model(rows)

    def encode_response(self, output: Any) -> dict[str, Any]:  # noqa: ANN401 - its interface
        """Write the values."""
        return {"values": output.tolist()}


class BatchedModel(Model):
    """Requests of one row, stacked."""

    def batch(self, inputs: list[Any]) -> Any:  # noqa: ANN401 - its interface
        """Stack what came together."""
        self.lengths = [len(rows) for rows in inputs]
        return np.concatenate(inputs)

    def unbatch(self, output: Any) -> list[Any]:  # noqa: ANN401 - its interface
        """Give each request its part."""
        return np.split(output, np.cumsum(self.lengths)[:-1])


if __name__ == "__main__":
    folder, (mode, _, how), port = Path(sys.argv[1]), sys.argv[2].partition(", "), int(sys.argv[3])
    batching = {"max_batch_size": 64, "batch_timeout": 0.002}
    api = BatchedModel(mode, folder, **batching) if how == "batched" else Model(mode, folder)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, fast_queue=how == "ZeroMQ")
    server.run(host="127.0.0.1", port=port, log_level="error", access_log=False, generate_client_file=False)
