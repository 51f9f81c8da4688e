"""More than a model can take: those who find no room are told so at once, and the others are answered."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.cli.test_fast_connections import Sizes, talking
from tests.support.models import classifier_sample, linear_classifier
from tests.support.servers import ServerProcess

ROOM, CALLERS, KNOWN = 2, 8, 3
WAIT_SECONDS = 1.0


class Crowded(Sizes):
    """A model for which few may wait, and each waits for others to run with."""

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    def api(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.client._api_key}"}
        answer = httpx2.request(method, f"{self.url}{path}", headers=headers, **options)
        assert answer.status_code == httpx2.codes.OK, answer.text
        return answer.json()

    def used(self, attempts: int) -> tuple[int, int]:
        """Return what was answered and what was not, once so many calls are counted."""
        ends = time.monotonic() + 5
        while True:
            found = self.api("GET", "/api/v1/usage")
            if found["calls"] + found["errors"] >= attempts or time.monotonic() > ends:
                return found["calls"], found["errors"]
            time.sleep(0.05)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowded]:
    folder: Path = tmp_path_factory.mktemp("crowded")
    process = ServerProcess(folder / "data", ARGOSY_SERVING_QUEUE_ROWS=str(ROOM))
    process.start()
    client = process.new_client()
    path = folder / "sizes.onnx"
    path.write_bytes(linear_classifier())
    client.push(path, name="sizes", sample=classifier_sample()["inputs"])
    parts = urlsplit(process.url)
    yield Crowded(client, (parts.hostname or "", parts.port or 0))
    assert process.stop() == 0


def test_who_finds_no_room_is_told_so_at_once_and_metered_once(crowded: Crowded) -> None:
    deployment = f"/api/v1/models/{crowded.client.organization}/sizes/deployment"
    crowded.api("PUT", deployment, json={"batching": {"max_wait_ms": 1000 * WAIT_SECONDS, "max_rows": ROOM + 1}})
    with talking(crowded.address) as alone:
        for _ in range(KNOWN):  # then the fast path knows the key and the model
            assert alone.exchange(crowded.row(1))[0] == httpx2.codes.OK

    def ask(_: int) -> tuple[int, Any, float]:
        with talking(crowded.address) as opened:
            began = time.monotonic()
            status, answer = opened.exchange(crowded.row(1))
            return status, answer, time.monotonic() - began

    with ThreadPoolExecutor(CALLERS) as callers:
        told = list(callers.map(ask, range(CALLERS)))
    refused = [(answer, seconds) for status, answer, seconds in told if status == httpx2.codes.SERVICE_UNAVAILABLE]
    good = [seconds for status, _, seconds in told if status == httpx2.codes.OK]
    assert (len(good), len(refused)) == (ROOM, CALLERS - ROOM)
    assert min(good) > WAIT_SECONDS / 2 > max(seconds for _, seconds in refused)
    assert {answer["type"] for answer, _ in refused} == {"urn:argosy:problem:overloaded"}
    assert len({answer["request_id"] for answer, _ in refused}) == CALLERS - ROOM
    assert crowded.used(KNOWN + CALLERS) == (KNOWN + ROOM, CALLERS - ROOM)
