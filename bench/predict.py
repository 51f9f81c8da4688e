"""Compares a typed, authenticated, metered prediction with a hand-written FastAPI application over the same ONNX model.

Both run as one process; rounds alternate, so that a busy machine is busy for both. Prints ratios: Argosy over the
hand-written one, which checks no key, keeps no count and knows no versions.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from argosy.client import Argosy
from argosy.demo.server import running_server

ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
BY_HAND = """
import sys
import numpy as np, onnxruntime as ort, uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

session = ort.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])

class Row(BaseModel):
    sepal_length: float
    sepal_width: float
    petal_length: float
    petal_width: float

class Request(BaseModel):
    rows: list[Row]

app = FastAPI()

@app.post("/predict")
def predict(request: Request):
    rows = [[row.sepal_length, row.sepal_width, row.petal_length, row.petal_width] for row in request.rows]
    label, probabilities = session.run(None, {"X": np.array(rows, dtype=np.float32)})
    return {"label": label.tolist(), "probabilities": probabilities.tolist()}

uvicorn.run(app, port=int(sys.argv[2]), log_level="error", access_log=False)
"""


@dataclass
class Target:
    """A server under load."""

    name: str
    url: str
    pid: int
    headers: dict[str, str] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(target: Target, concurrency: int, seconds: float) -> None:
    body = json.dumps({"rows": [ROW]}).encode()
    headers = {"Content-Type": "application/json", **target.headers}
    times: list[float] = []
    before, ends = cpu_seconds(target.pid), time.perf_counter() + seconds

    async def caller(http: httpx2.AsyncClient) -> None:
        while time.perf_counter() < ends:
            started = time.perf_counter()
            response = await http.post(target.url, content=body, headers=headers)
            assert response.status_code == 200, response.text
            times.append(time.perf_counter() - started)

    async with httpx2.AsyncClient(limits=httpx2.Limits(max_connections=concurrency)) as http:
        await asyncio.gather(*(caller(http) for _ in range(concurrency)))
    times.sort()
    target.rates.append(len(times) / seconds)
    target.p50.append(times[len(times) // 2] * 1000)
    target.p99.append(times[int(len(times) * 0.99)] * 1000)
    target.cpu.append((cpu_seconds(target.pid) - before) / len(times) * 1000)


@contextmanager
def by_hand(model: Path, port: int) -> Iterator[Target]:
    process = subprocess.Popen([sys.executable, "-c", BY_HAND, str(model), str(port)])
    url = f"http://127.0.0.1:{port}/predict"
    try:
        for _ in range(100):
            try:
                httpx2.get(url)
                break
            except httpx2.TransportError:
                time.sleep(0.1)
        yield Target("by hand", url, process.pid)
    finally:
        process.kill()
        process.wait()


def push(url: str, folder: Path) -> tuple[str, str, Path]:
    """Push an iris pipeline; return the model's full name, a key and the ONNX file."""
    data = load_iris()
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(data.data, data.target_names[data.target])
    with Argosy(url) as anonymous:
        anonymous.register("bench@example.org", "bench", "a sentence makes a good one")
    with Argosy(url, username="bench", password="a sentence makes a good one") as person:
        key = person.create_api_key("bench", ["models:read", "models:write", "predict"]).key or ""
    with Argosy(url, api_key=key, organization="bench") as client:
        sample = {name: data.data[:, index].tolist() for index, name in enumerate(ROW)}
        version = client.push(model, name="iris", sample=sample)
        return version.model, key, client.download("iris", 1, folder / "iris.onnx")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with running_server("127.0.0.1", 0, folder / "data") as server:
            name, key, onnx = push(server.url, folder)
            path = f"{server.url}/api/v1/models/{name}/predict"
            argosy = Target("argosy", path, server.process.pid, {"Authorization": f"Bearer {key}"})
            with by_hand(onnx, 18_765) as hand:
                print(f"{'':12}{'requests/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'CPU ms':>10}")
                for concurrency in (1, 16):
                    compare(argosy, hand, concurrency, options.rounds, options.seconds)


def compare(argosy: Target, hand: Target, concurrency: int, rounds: int, seconds: float) -> None:
    for target in (argosy, hand):
        target.rates, target.p50, target.p99, target.cpu = [], [], [], []
    for _ in range(rounds):
        for target in (argosy, hand):
            asyncio.run(measure(target, concurrency, seconds))
    print(f"concurrency {concurrency}")
    medians = []
    for target in (argosy, hand):
        medians.append([statistics.median(values) for values in (target.rates, target.p50, target.p99, target.cpu)])
        show(target.name, medians[-1])
    show("ratio", [a / b for a, b in zip(*medians, strict=True)])


def show(name: str, figures: list[float]) -> None:
    rate, *times = figures
    print(f"  {name:10}{rate:>12.2f}" + "".join(f"{value:>10.2f}" for value in times))


if __name__ == "__main__":
    main()
