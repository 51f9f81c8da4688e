"""kill -9 of the server: what was acknowledged is there afterwards, and nothing is half there."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from argosy.client import Argosy
from tests.support.models import linear_classifier
from tests.support.servers import ServerProcess

SOME_CALLS = 25


def reopen(server: ServerProcess, client: Argosy) -> Argosy:
    server.start()
    return Argosy(server.url, api_key=client._api_key, organization=client.organization)


def integrity(server: ServerProcess) -> str:
    with sqlite3.connect(server.data_dir / "argosy.db") as connection:
        found: str = connection.execute("PRAGMA integrity_check").fetchone()[0]
    return found


def test_during_an_upload_nothing_is_registered(own_server: ServerProcess) -> None:
    client = own_server.new_client()
    client.create_model("sizes")

    def slowly() -> Any:
        yield b'--x\r\nContent-Disposition: form-data; name="artifact"; filename="m"\r\n\r\n'
        for _ in range(1000):
            yield b"\x08" * 10_000
            time.sleep(0.01)

    def send() -> None:
        headers = {"Authorization": f"Bearer {client._api_key}", "Content-Type": "multipart/form-data; boundary=x"}
        url = f"{client.url}/api/v1/models/{client.organization}/sizes/versions"
        with pytest.raises(httpx2.TransportError):
            httpx2.post(url, content=slowly(), headers=headers)

    uploading = threading.Thread(target=send)
    uploading.start()
    time.sleep(1)
    own_server.kill()
    uploading.join()

    client = reopen(own_server, client)
    assert list(client.versions("sizes")) == []
    assert client.model("sizes").last_version == 0
    assert [path for path in (own_server.data_dir / "artifacts").rglob("*") if path.is_file()] == []
    assert integrity(own_server) == "ok"


@pytest.mark.parametrize("delay", [0.05, 0.9])
def test_during_a_push_the_job_is_taken_up_again(own_server: ServerProcess, tmp_path: Path, delay: float) -> None:
    client = own_server.new_client()
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_classifier())
    version = client.push(path, name="sizes", wait=False)
    time.sleep(delay)
    own_server.kill()

    client = reopen(own_server, client)
    settled = client.wait("sizes", version.version, timeout=30)
    assert settled.status == "ready"
    assert client.predict("sizes", [{"X": [3.0, 4.0]}]).labels == ["large"]
    assert [job.status for job in client.jobs()] == ["succeeded"]
    assert len(list(client.alias_history("sizes", "live"))) == 1
    assert integrity(own_server) == "ok"


@pytest.fixture
def patient_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server whose explanations may take long."""
    running = ServerProcess(tmp_path / "data", ARGOSY_JOBS_EXPLANATION_RUNS="100000000")
    running.start()
    yield running
    running.stop()


def test_during_an_explanation_the_job_is_taken_up_again(patient_server: ServerProcess, tmp_path: Path) -> None:
    client = patient_server.new_client()
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_classifier())
    client.push(path, name="sizes")
    rows = [{"X": [number / 10, 1.0]} for number in range(1000)]
    job = client.explain("sizes", rows, method="permutation", samples=20_000)
    while not client.job(job.id).progress["done"]:
        time.sleep(0.05)
    patient_server.kill()

    client = reopen(patient_server, client)
    result = client.job_result(job.id, timeout=60)
    assert result["importances"][0]["mean"] > 0
    assert (client.job(job.id).model_extra or {})["attempts"] == 2
    assert integrity(patient_server) == "ok"


def test_acknowledged_usage_survives_any_moment(own_server: ServerProcess, tmp_path: Path) -> None:
    client = own_server.new_client()
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_classifier())
    client.push(path, name="sizes")
    answered = 0
    for pause in (0.0, 0.23):
        stop = threading.Event()
        done: list[int] = []

        def call(client: Argosy = client, stop: threading.Event = stop, done: list[int] = done) -> None:
            with httpx2.Client(headers={"Authorization": f"Bearer {client._api_key}"}) as http:
                url = f"{client.url}/api/v1/models/{client.organization}/sizes/predict"
                while not stop.is_set():
                    try:
                        response = http.post(url, json={"data": [[[1.0, 2.0]]]})
                    except httpx2.TransportError:
                        break
                    if response.status_code == 200:
                        done.append(1)

        callers = [threading.Thread(target=call) for _ in range(3)]
        for caller in callers:
            caller.start()
        time.sleep(0.6 + pause)
        deadline = time.monotonic() + 30
        while len(done) <= SOME_CALLS and time.monotonic() < deadline:  # the machine may be busy
            time.sleep(0.01)
        own_server.kill()
        stop.set()
        for caller in callers:
            caller.join()
        answered += len(done)
        client = reopen(own_server, client)

    deadline = time.monotonic() + 10
    usage = client.usage("model")
    while usage.calls < answered and time.monotonic() < deadline:
        time.sleep(0.1)
        usage = client.usage("model")
    assert answered > 2 * SOME_CALLS
    # A call whose answer was cut off on the wire may be counted; one that was answered must be.
    assert answered <= usage.calls <= answered + 6
    assert usage.rows == usage.calls
    time.sleep(0.6)
    assert client.usage("model").calls == usage.calls


def test_the_isolated_process_dies_with_the_server(own_server: ServerProcess, tmp_path: Path) -> None:
    client = own_server.new_client()
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_classifier())
    client.push(path, name="sizes", wait=False)
    confined: list[str] = []
    deadline = time.monotonic() + 5
    while not confined and time.monotonic() < deadline:
        confined = _confined(own_server.data_dir)
    own_server.kill()
    assert confined
    deadline = time.monotonic() + 5
    while _confined(own_server.data_dir) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _confined(own_server.data_dir) == []
    reopen(own_server, client)


def _confined(data_dir: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text()
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if "argosy.conversion.confine" in command and str(data_dir) in command and state != "Z":
            found.append(process.name)
    return found


def test_a_stopped_server_finishes_what_it_is_doing(own_server: ServerProcess, tmp_path: Path) -> None:
    client = own_server.new_client()
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_classifier())
    client.push(path, name="sizes")
    client.predict("sizes", [{"X": [1.0, 2.0]}])
    assert own_server.stop() == 0
    client = reopen(own_server, client)
    assert client.usage("model").calls == 1
