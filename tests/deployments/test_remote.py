"""Models that run on another server: Argosy itself, and one that fails in every way it can."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from argosy.serving import breaker
from argosy.settings import Settings
from tests.deployments.test_traffic import BODY, MODEL, PATH, SAMPLE, deploy, two_versions
from tests.entitlements.test_quota import settled
from tests.serving.test_fast_path import call
from tests.support.callers import Caller
from tests.support.entitlements import granted, with_key
from tests.support.models import sums
from tests.support.servers import ServerProcess

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ANSWER = {"outputs": [{"name": "total", "datatype": "FP64", "shape": [1, 1], "data": [42.0]}]}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    network = settings.network.model_copy(update={"outgoing": ["127.0.0.1/32"]})
    return settings.model_copy(update={"network": network})


@dataclass
class Other:
    """Another server: what it answers is said by the test."""

    answer: Callable[[str], tuple[int, Any]]
    asked: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    url: str = ""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            text = head.decode().lower()
            length = next((int(line[15:]) for line in text.split("\r\n") if line.startswith("content-length:")), 0)
            await reader.readexactly(length)
            self.asked.append(head.decode().split(" ")[1])
            self.heads.append(text)
            status, body = self.answer(self.asked[-1])
            if status == 0:
                writer.close()
                return
            if status == 1:
                await asyncio.sleep(30)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            writer.write(b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n%b" % (status, len(content), content))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Other"]:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            server.close_clients() if hasattr(server, "close_clients") else None


async def remote(owner: Caller, url: str, **fields: Any) -> None:
    backend = {"url": url, "model": "total", "binary": False, "retries": 1, "timeout_ms": 1000} | fields
    done = await deploy(owner, backend=backend)
    assert done.status_code == 200, done.text


async def test_another_argosy_answers(
    server: ServerProcess, owner: Caller, client: httpx2.AsyncClient, tmp_path: Path
) -> None:
    other = server.new_client()
    artifact = tmp_path / "total.onnx"
    artifact.write_bytes(sums(3.0))
    await asyncio.to_thread(lambda: other.push(artifact, name="total", sample=SAMPLE["inputs"]))
    await two_versions(owner)
    headers = {"Authorization": f"Bearer {other._api_key}"}
    for binary in (True, False):
        await remote(owner, server.url, binary=binary, headers=headers)
        for _ in range(3):
            answer = await call(client, owner.key, BODY, PATH)
            assert answer.status_code == 200, answer.text
            # The version is ours, and what it says is what runs there says.
            assert (answer.json()["version"], answer.json()["predictions"]) == (1, [{"total": [21.0]}])
    rows = {"columns": {"a": [1.0] * 50, "b": [*range(50)]}}
    many = await asyncio.gather(*(call(client, owner.key, rows, PATH) for _ in range(20)))
    assert {answer.status_code for answer in many} == {200}
    assert many[0].json()["predictions"][49] == {"total": [150.0]}
    await remote(owner, server.url, headers={})
    failed = await call(client, owner.key, BODY, PATH)
    assert (failed.status_code, failed.json()["backend_status"]) == (502, 401)


async def test_credentials_are_kept_and_never_shown(app: FastAPI, owner: Caller, tmp_path: Path) -> None:
    await two_versions(owner)
    async with Other(lambda _: (200, ANSWER)).serving() as other:
        await remote(owner, other.url, headers={"Authorization": "Bearer very-secret"})
        shown = await owner.get(f"{MODEL}/deployment")
        assert shown.json()["backend"]["header_names"] == ["Authorization"]
        assert "very-secret" not in shown.text
        kept = await asyncio.to_thread(lambda: b"".join(path.read_bytes() for path in tmp_path.rglob("*.db*")))
        assert kept
        assert b"very-secret" not in kept
        await remote(owner, other.url, retries=2)  # they stay
        await owner.post(f"{MODEL}/predict", json=BODY)
        assert "authorization: bearer very-secret" in other.heads[-1]
        await remote(owner, f"{other.url}/other")
        await owner.post(f"{MODEL}/predict", json=BODY)
        assert "authorization" not in other.heads[-1]  # they were for another address


async def test_a_call_that_found_nobody_is_repeated(owner: Caller) -> None:
    await two_versions(owner)
    for trouble in ((503, b""), (0, b""), (502, b"")):
        turns = iter([trouble, (200, ANSWER)])
        async with Other(lambda _, turns=turns: next(turns)).serving() as other:  # type: ignore[misc]
            await remote(owner, other.url)
            answer = await owner.post(f"{MODEL}/predict", json=BODY)
            assert answer.json()["predictions"] == [{"total": [42.0]}], answer.text
            assert other.asked == ["/v2/models/total/infer"] * 2


FAILURES: dict[str, tuple[int, Any, int, str]] = {
    "it takes no such input": (422, {"error": "no"}, 422, "model-rejected-input"),
    "it lets us not in": (401, {}, 502, "backend-failed"),
    "it does not speak the protocol": (200, b"<html>", 502, "backend-failed"),
    "it lacks an output": (200, {"outputs": []}, 502, "backend-failed"),
    "it answers another shape": (200, {"outputs": [{**ANSWER["outputs"][0], "shape": [3]}]}, 502, "backend-failed"),
    "it is too busy": (503, {}, 503, "backend-unavailable"),
    "it does not answer": (1, {}, 504, "prediction-timeout"),
}


async def test_each_failure_has_its_name(owner: Caller) -> None:
    await two_versions(owner)
    for status, body, expected, kind in FAILURES.values():
        async with Other(lambda _, said=(status, body): said).serving() as other:  # type: ignore[misc]
            await remote(owner, other.url, timeout_ms=300)
            answer = await owner.post(f"{MODEL}/predict", json=BODY)
            assert (answer.status_code, answer.json()["type"]) == (expected, f"urn:argosy:problem:{kind}"), answer.text
            assert other.url not in answer.text


async def test_when_calls_keep_failing_none_is_sent_until_it_is_ready(
    owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "FIRST_LOOK", 0.1)
    await two_versions(owner)
    healthy = False
    async with Other(lambda _: (200, ANSWER) if healthy else (503, {})).serving() as other:
        await remote(owner, other.url, retries=0)
        for _ in range(5):
            assert (await owner.post(f"{MODEL}/predict", json=BODY)).status_code == 503
        sent = other.asked.count("/v2/models/total/infer")
        refused = await owner.post(f"{MODEL}/predict", json=BODY)
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:argosy:problem:backend-unavailable")
        assert int(refused.headers["retry-after"]) > 0
        assert other.asked.count("/v2/models/total/infer") == sent == 5
        healthy = True
        for _ in range(100):
            if (await owner.post(f"{MODEL}/predict", json=BODY)).status_code == 200:
                break
            await asyncio.sleep(0.05)
        assert (await owner.post(f"{MODEL}/predict", json=BODY)).status_code == 200
        assert "/v2/models/total/ready" in other.asked


async def test_a_caller_in_a_hurry_says_nothing_about_the_server(owner: Caller) -> None:
    await two_versions(owner)
    async with Other(lambda path: (1, {}) if path.endswith("infer") else (200, {})).serving() as other:
        await remote(owner, other.url, timeout_ms=60_000)
        for _ in range(8):
            late = await owner.post(f"{MODEL}/predict", json=BODY, headers={"X-Request-Timeout-Ms": "20"})
            assert (late.status_code, late.json()["type"]) == (504, "urn:argosy:problem:prediction-timeout")


async def test_addresses_that_must_not_be_called_are_not(owner: Caller) -> None:
    await two_versions(owner)
    for url in ("http://169.254.169.254", "http://10.0.0.1:8000", "https://user:word@example.com", "file:///etc"):
        refused = await deploy(owner, backend={"url": url, "model": "total"})
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:argosy:problem:target-refused"), url


async def test_with_a_key_a_customer_is_told_the_same_and_nothing_is_spent(owner: Caller, stranger: Caller) -> None:
    found = await granted(owner, stranger, {"period": "month", "calls": 50})
    async with Other(lambda _: (503, {})).serving() as other:
        backend = {"url": other.url, "model": "sizes", "retries": 0}
        assert (await owner.put("/models/owner/sizes/deployment", json={"backend": backend})).status_code == 200
        answers = [await with_key(stranger) for _ in range(12)]
    kinds = {(answer.status_code, answer.json()["type"]) for answer in answers}
    assert kinds == {(503, "urn:argosy:problem:backend-unavailable")}
    await settled(stranger, found, 0)
