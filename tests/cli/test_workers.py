"""Several processes on one port: balance, death, revocation, drain, rolling restart, limits and figures in total."""

import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import httpx2
import pytest

from argosy.cli import members, supervisor
from argosy.client import Argosy
from argosy.serving.protocols.proto import inference_pb2 as pb
from argosy.settings import Settings
from tests.support.callers import PASSWORD
from tests.support.grpc import SERVICE
from tests.support.models import linear_classifier
from tests.support.servers import ServerProcess
from tests.support.settings import make_settings
from tests.support.workers import (
    LISTENING,
    connections,
    is_there,
    sockets_of,
    wait_until,
    wait_until_all_serve,
    workers,
)

BODY = json.dumps({"data": [[[1.0, 2.0]]]}).encode()
LIMITS = {"ARGOSY_RATES_CALLER": "300", "ARGOSY_RATES_SIGN_IN_ACCOUNT": "5", "ARGOSY_GRPC_PORT": "0"}


@contextmanager
def running(folder: Path, **environment: str) -> Iterator[ServerProcess]:
    server = ServerProcess(folder / "data", ARGOSY_WORKERS="2", **environment)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with two workers; a test that ends one leaves the other to the next test."""
    with running(tmp_path_factory.mktemp("workers"), **LIMITS) as server:
        yield server


@pytest.fixture
def own(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with two workers, for a test that ends it."""
    with running(tmp_path) as server:
        yield server


def serving(server: ServerProcess, folder: Path) -> Argosy:
    client = server.new_client()
    path = folder / "model.onnx"
    path.write_bytes(linear_classifier())
    client.push(path, name="sizes")
    return client


class Wire:
    """One connection, without retries: what fails on it is counted."""

    def __init__(self, client: Argosy) -> None:
        self.address = urlsplit(client.url).netloc
        self.path = f"/api/v1/models/{client.organization}/sizes/predict"
        self.headers = {"Authorization": f"Bearer {client._api_key}", "Content-Type": "application/json"}
        self.connection = http.client.HTTPConnection(self.address, timeout=60)

    def predict(self) -> int:
        self.connection.request("POST", self.path, BODY, self.headers)
        response = self.connection.getresponse()
        response.read()
        return response.status

    def get(self, path: str) -> int:
        self.connection.request("GET", path, headers=self.headers)
        response = self.connection.getresponse()
        response.read()
        return response.status

    def renew(self) -> None:
        self.connection.close()
        self.connection = http.client.HTTPConnection(self.address, timeout=60)


class Load:
    """Callers that predict as fast as they are answered."""

    def __init__(self, client: Argosy, *, keep: bool, lasting: bool) -> None:
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []
        self._wire, self._keep, self._lasting = Wire(client), keep, lasting
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._call)
        self._thread.start()

    def _call(self) -> None:
        while not self._stop.is_set():
            try:
                self.statuses[self._wire.predict()] += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                if not self._lasting:
                    return
                self._wire.renew()
            if not self._keep:
                self._wire.renew()

    def end(self) -> None:
        self._stop.set()
        self._thread.join()


def test_connections_are_shared_out_evenly(shared: ServerProcess) -> None:
    address = urlsplit(shared.url)
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection((str(address.hostname), address.port or 0)))
        wait_until(lambda: connections(shared).total() >= 20)
        time.sleep(0.1)
        counts = connections(shared)
    assert len(counts) == 2
    assert max(counts.values()) - min(counts.values()) <= 4, counts


def test_all_workers_speak_grpc_on_one_port(shared: ServerProcess) -> None:
    port = urlsplit(shared.grpc).port or 0
    for number in range(6):
        # Channels that differ in nothing share a connection.
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("argosy.test", number)]) as channel:
            live: Any = channel.unary_unary(f"/{SERVICE.full_name}/ServerLive")
            assert pb.ServerLiveResponse.FromString(live(b"", timeout=30)).live
    assert {pid for pid, count in sockets_of(workers(shared), port, LISTENING).items() if count} == workers(shared)


def test_a_revoked_key_is_refused_by_all_workers(shared: ServerProcess, tmp_path: Path) -> None:
    client = serving(shared, tmp_path)
    person = Argosy(client.url, username=client.organization, password=PASSWORD)
    made = person.create_api_key("short", ["predict", "models:read"])
    wires = [Wire(Argosy(client.url, api_key=made.key, organization=client.organization)) for _ in range(8)]
    for _ in range(3):
        assert [wire.predict() for wire in wires] == [200] * 8
    person.revoke_api_key(made.id)
    ends = time.monotonic() + 2
    while {wire.predict() for wire in wires} != {401} and time.monotonic() < ends:
        time.sleep(0.02)
    assert [wire.predict() for wire in wires] == [401] * 8


def test_limits_hold_over_all_workers(shared: ServerProcess) -> None:
    client = shared.new_client()
    wires = [Wire(client) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        found = pool.map(lambda wire: [wire.get("/api/v1/models") for _ in range(80)], wires)
        statuses = Counter(status for each in found for status in each)
    assert statuses == {200: 300, 429: 180}


def test_sign_in_attempts_are_counted_over_all_workers(shared: ServerProcess) -> None:
    username = shared.new_client().organization

    def guess(number: int) -> int:
        with httpx2.Client(base_url=shared.url, timeout=60) as http:
            form = {"grant_type": "password", "username": username, "password": f"a wrong guess {number}"}
            return http.post("/api/v1/auth/token", data=form).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = Counter(pool.map(guess, range(14)))
    assert statuses[429] >= 14 - 5
    assert statuses[400] + statuses[401] <= 5


def metrics(server: ServerProcess, token: str) -> dict[str, float]:
    answer = httpx2.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert answer.status_code == 200, answer.text
    lines = [line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_metrics_are_of_all_workers_and_outlive_one(shared: ServerProcess, tmp_path: Path) -> None:
    client = serving(shared, tmp_path)
    with sqlite3.connect(shared.data_dir / "argosy.db", timeout=30) as database:
        database.execute("UPDATE users SET is_admin = 1")
    form = {"grant_type": "password", "username": client.organization, "password": PASSWORD}
    token = httpx2.post(f"{shared.url}/api/v1/auth/token", data=form, timeout=60).json()["access_token"]
    wires = [Wire(client) for _ in range(6)]
    name = 'argosy_requests_total{method="POST",route="/api/v1/models/{org}/{name}/predict",status="200"}'
    short = name.replace("/api/v1", "")

    def counted() -> float:
        shown = metrics(shared, token)
        return shown.get(name, 0.0) + shown.get(short, 0.0)

    before = counted()
    for _ in range(10):
        assert [wire.predict() for wire in wires] == [200] * 6
    then = counted()
    assert then == before + 60
    shown = metrics(shared, token)
    assert {found for one in shown for found in re.findall(r'process_open_fds{worker="(\d)"}', one)} == {"0", "1"}
    victim = min(workers(shared))
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in workers(shared))
    assert counted() == then


def test_a_worker_that_is_killed_is_replaced_and_loses_no_usage(shared: ServerProcess, tmp_path: Path) -> None:
    wait_until_all_serve(shared)
    client = serving(shared, tmp_path)
    loads = [Load(client, keep=True, lasting=True) for _ in range(3)]
    former = workers(shared)
    for pid in former:
        wait_until_all_serve(shared)
        time.sleep(0.3)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda pid=pid: pid not in workers(shared))  # type: ignore[misc]
    wait_until_all_serve(shared)
    assert not workers(shared) & former
    for load in loads:
        load.end()
    answered = sum(load.statuses[200] for load in loads)
    cut_off = sum(len(load.failures) for load in loads)
    assert answered > 50
    assert set().union(*(load.statuses for load in loads)) == {200}
    wait_until(lambda: client.usage("model").calls >= answered, pause=0.3)
    time.sleep(0.6)
    assert answered <= client.usage("model").calls <= answered + cut_off
    path = tmp_path / "model.onnx"
    assert client.push(path, name="again").status == "ready", "what one does for all has been taken over"


def test_a_rolling_restart_fails_no_request(shared: ServerProcess, tmp_path: Path) -> None:
    wait_until_all_serve(shared)
    client = serving(shared, tmp_path)
    former = workers(shared)
    loads = [Load(client, keep=keep, lasting=False) for keep in (True, True, False, False)]
    time.sleep(0.5)
    os.kill(shared.pid, signal.SIGHUP)
    wait_until(lambda: not workers(shared) & former and len(workers(shared)) == 2, 100)
    time.sleep(0.5)
    for load in loads:
        load.end()
    assert [load.failures for load in loads] == [[]] * 4
    assert all(load.statuses.keys() == {200} for load in loads)
    answered = sum(load.statuses[200] for load in loads)
    wait_until(lambda: client.usage("model").calls == answered, pause=0.3)


def test_a_stop_answers_what_is_in_flight(own: ServerProcess, tmp_path: Path) -> None:
    client = serving(own, tmp_path)
    wires = [Wire(client) for _ in range(4)]
    for wire in wires:
        assert wire.predict() == 200
        wire.connection.putrequest("POST", wire.path)
        for name, value in (*wire.headers.items(), ("Content-Length", str(len(BODY)))):
            wire.connection.putheader(name, value)
        wire.connection.endheaders(BODY[:5])
    time.sleep(0.3)
    os.kill(own.pid, signal.SIGTERM)
    address = urlsplit(own.url)

    def is_closed() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((str(address.hostname), address.port or 0)) != 0

    wait_until(is_closed)
    for wire in wires:
        wire.connection.send(BODY[5:])
        answer = wire.connection.getresponse()
        assert (answer.status, answer.getheader("Connection")) == (200, "close")
        answer.read()
    began = time.monotonic()
    assert own.stop() == 0
    assert time.monotonic() - began < 15


def test_workers_end_with_a_supervisor_that_is_killed(own: ServerProcess) -> None:
    pids = workers(own)
    assert len(pids) == 2
    own.kill()
    wait_until(lambda: not any(is_there(pid) for pid in pids), 5)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path / "data", f"sqlite:///{tmp_path}/argosy.db", workers=2, port=0)


def test_workers_that_keep_ending_end_the_server(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(members, "MODULE", "tests.support.ending_worker")
    monkeypatch.setattr(supervisor, "LONGEST_BACKOFF", 0.01)
    assert supervisor.supervise(settings) == 1
    assert re.search(r"workers? .*(in a row ended|did not start)", capsys.readouterr().err)


def test_a_port_that_is_taken_stops_the_start(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert supervisor.supervise(settings.model_copy(update={"port": port})) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err
