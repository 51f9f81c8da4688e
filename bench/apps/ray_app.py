"""The model behind Ray Serve: one replica on one machine, without the dashboard."""

import signal
import sys
from pathlib import Path

import numpy as np
import ray
from ray import serve
from starlette.requests import Request

from bench.apps.models import load


# The default of 5 requests at once would be measured instead of the server.
@serve.deployment(max_ongoing_requests=1000)
class Model:
    """Reads the request itself, as its documentation shows."""

    def __init__(self, mode: str, folder: Path) -> None:
        self.model = load(mode, folder)

    async def __call__(self, request: Request) -> dict[str, list[float]]:
        """Predict."""
        rows = np.array((await request.json())["rows"], dtype=np.float32)
        return {"values": self.model(rows).tolist()}


if __name__ == "__main__":
    folder, mode, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
    serve.start(
        http_options={"host": "127.0.0.1", "port": port},
        logging_config={"enable_access_log": False, "log_level": "ERROR"},
    )
    serve.run(Model.bind(mode, folder))  # type: ignore[attr-defined] # the decorator's
    signal.pause()
