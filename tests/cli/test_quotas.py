"""One quota over several processes: spent to the last unit and never beyond, and revoked in all of them at once."""

import http.client
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from argosy.client import Argosy
from tests.support.quotas import Party, Wire, entitled, used
from tests.support.servers import ServerProcess
from tests.support.workers import wait_until, wait_until_all_serve, workers


@contextmanager
def four(folder: Path, **environment: str) -> Iterator[ServerProcess]:
    server = ServerProcess(folder / "data", ARGOSY_WORKERS="4", ARGOSY_RATES_PREDICT="1000000", **environment)
    server.start()
    try:
        wait_until_all_serve(server, 4)
        yield server
    finally:
        server.stop()


@pytest.fixture
def server(tmp_path: Path, database_url: str) -> Iterator[ServerProcess]:
    with four(tmp_path, ARGOSY_DATABASE_URL=database_url) as running:
        yield running


def test_four_processes_spend_a_quota_to_the_last_call(server: ServerProcess, tmp_path: Path) -> None:
    vendor, customer, entitlement = entitled(server, tmp_path, {"period": "year", "calls": 1000})
    wires = [Wire(customer, vendor) for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        found = pool.map(lambda wire: [wire.predict() for _ in range(75)], wires)
        statuses = Counter(status for each in found for status in each)
    assert statuses == {200: 1000, 429: 200}
    assert used(customer, entitlement) == 1000
    wait_until(lambda: customer.client.usage("model").calls == 1000, 10)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_revoked_entitlement_lets_nobody_in_after_two_seconds(server: ServerProcess, tmp_path: Path) -> None:
    vendor, customer, entitlement = entitled(server, tmp_path, {"period": "year", "calls": 100_000})
    wires = [Wire(customer, vendor) for _ in range(12)]
    for _ in range(3):
        assert [wire.predict() for wire in wires] == [200] * 12
    for change, expected in (({"status": "suspended"}, 404), ({"status": "active"}, 200)):
        vendor.ask("PATCH", f"/entitlements/{entitlement['id']}", json=change)
        told = time.monotonic()
        while {wire.predict() for wire in wires} != {expected}:
            assert time.monotonic() < told + 2
    vendor.ask("POST", f"/entitlements/{entitlement['id']}/revoke")
    time.sleep(2 - 0.5)
    assert {wire.predict() for wire in wires} == {404}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_process_that_is_killed_costs_its_lease_and_no_more(server: ServerProcess, tmp_path: Path) -> None:
    vendor, customer, entitlement = entitled(server, tmp_path, {"period": "year", "calls": 2000})
    succeeded, stop = Counter[int](), threading.Event()

    def call(wire: Wire) -> None:
        while not stop.is_set():
            try:
                succeeded[wire.predict()] += 1
            except (OSError, http.client.HTTPException):
                wire.connection.close()

    wires = [Wire(customer, vendor) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(call, wire) for wire in wires]
        wait_until(lambda: succeeded[200] > 200)
        os.kill(min(workers(server)), signal.SIGKILL)
        wait_until(lambda: succeeded[429] > 100)
        stop.set()
        for one in calls:
            one.result()
    lease = 2000 // 32
    # Calls that were under way in it were counted, and their answers did not arrive.
    assert 2000 - lease - 8 <= succeeded[200] <= 2000
    assert used(customer, entitlement) == 2000


def test_a_stop_gives_back_what_is_held(tmp_path: Path) -> None:
    with four(tmp_path) as running:
        vendor, customer, entitlement = entitled(running, tmp_path, {"period": "year", "calls": 50_000})
        wires = [Wire(customer, vendor) for _ in range(8)]
        assert [wire.predict() for wire in wires] == [200] * 8
        running.stop()
        running.start()
        renewed = Party(Argosy(running.url), customer.token)
        assert used(renewed, entitlement) == 8
