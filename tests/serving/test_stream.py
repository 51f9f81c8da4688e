"""Streams of predictions: in order, each row for itself, in bounded memory."""

import asyncio
import http.client
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi import FastAPI

from argosy.client import Argosy
from argosy.serving.protocols import stream
from argosy.serving.protocols.stream import groups
from tests.support.callers import Caller
from tests.support.models import linear_classifier, pushed
from tests.support.servers import ServerProcess

PATH = "/models/owner/sizes/predict/stream"
HEADERS = {"Content-Type": "application/x-ndjson"}


async def ask(caller: Caller, content: Any, path: str = PATH) -> tuple[httpx2.Response, list[Any]]:
    response = await caller.post(path, content=content, headers=HEADERS)
    return response, [json.loads(line) for line in response.text.splitlines()]


async def test_each_line_is_answered_in_order(owner: Caller) -> None:
    await pushed(owner)
    rows = [[number / 100, 1.0] for number in range(600)]
    typed = (await owner.post("/models/owner/sizes/predict", json={"data": rows})).json()["predictions"]
    named = [json.dumps({"width": width, "height": height}) for width, height in rows]
    for content in ("\n".join(named), "\n\n".join(json.dumps(row) for row in rows) + "\r\n"):
        response, (*lines, end) = await ask(owner, content)
        assert response.headers["content-type"].startswith("application/x-ndjson")
        assert [line["row"] for line in lines] == list(range(600))
        assert [line["prediction"] for line in lines] == typed
        assert end == {"rows": 600, "failed": 0, "model": "owner/sizes", "version": 1}
    await asyncio.sleep(0.3)
    usage = (await owner.get("/usage")).json()
    assert (usage["calls"], usage["rows"]) == (1201, 1800), "a line is a call"


async def test_a_wrong_row_is_told_and_the_others_are_answered(owner: Caller) -> None:
    await pushed(owner)
    good = '{"width": 1, "height": 2}'
    wrong = [
        '{"width": "x", "height": 2}', '{"width": 1}', "{", "1", "null", "[1]",
        '{"width": 1, "height": 2}, {"width": 1}',
        '{"width": 1', '"height": 2}', '{"width": NaN, "height": 1}',
    ]  # fmt: skip
    lines = [line for one in wrong for line in (good, one)] + [good]
    _, (*answers, end) = await ask(owner, "\n".join(lines))
    assert end["rows"], end["failed"] == (21, 10)
    for index, answer in enumerate(answers):
        assert ("errors" in answer) is bool(index % 2), (lines[index], answer)
    assert answers[1]["errors"][0]["loc"] == ["width"]
    assert all(answer["errors"] for answer in answers[1::2])


async def test_rows_and_lists_may_alternate(owner: Caller) -> None:
    await pushed(owner)
    _, (*lines, end) = await ask(owner, '{"width": 1, "height": 2}\n[1, 2]\n[1, 2]\n{"width": 1, "height": 2}')
    assert end["failed"] == 0
    assert len({json.dumps(line["prediction"]) for line in lines}) == 1


async def test_what_cannot_begin_is_a_problem(owner: Caller, stranger: Caller) -> None:
    await pushed(owner)
    assert (await ask(stranger, "[1, 2]"))[0].status_code == 404
    assert (await owner.post(f"{PATH}?version=7", content="[1, 2]", headers=HEADERS)).status_code == 404


async def test_a_stream_ends_when_its_key_is_revoked(app: FastAPI, owner: Caller) -> None:
    await pushed(owner)
    revoked = asyncio.Event()

    async def rows() -> AsyncIterator[bytes]:
        yield b"[1, 2]\n" * 10
        await owner.delete(f"/organizations/owner/api-keys/{owner.key_id}")
        revoked.set()
        yield b"[1, 2]\n" * 10

    headers = {**HEADERS, "Authorization": f"Bearer {owner.key}"}
    response = await owner.http.post(f"/api/v1{PATH}", content=rows(), headers=headers)
    *lines, end = [json.loads(line) for line in response.text.splitlines()]
    assert revoked.is_set()
    assert len(lines) == 10
    assert "revoked" in end["error"]


async def test_lines_are_cut_wherever_the_pieces_end() -> None:
    whole = b"".join(b"[%d, 2]\n" % number for number in range(1000))[:-1]
    for size in (1, 7, 1000, len(whole)):

        async def pieces(size: int = size) -> AsyncIterator[bytes]:
            for start in range(0, len(whole), size):
                yield whole[start : start + size]

        found = [group async for group in groups(pieces(), 100)]
        assert [line for group in found for line in group] == whole.split(b"\n")
        assert max(map(len, found)) <= stream.GROUP


async def test_a_line_without_end_is_refused(owner: Caller) -> None:
    await pushed(owner)

    async def endless() -> AsyncIterator[bytes]:
        yield b"[1, 2]\n["
        for _ in range(100):
            yield b"1," * 50_000

    response = await owner.http.post(
        f"/api/v1{PATH}", content=endless(), headers={**HEADERS, "Authorization": f"Bearer {owner.key}"}
    )
    end = json.loads(response.text.splitlines()[-1])
    assert "at most" in end["error"]


def resident(pid: int) -> int:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


@pytest.fixture
def pusher(server: ServerProcess, tmp_path: Path) -> Argosy:
    found = server.new_client()
    (tmp_path / "sizes.onnx").write_bytes(linear_classifier())
    found.push(tmp_path / "sizes.onnx", name="sizes")
    return found


def test_memory_does_not_grow_with_the_rows(pusher: Argosy, server: ServerProcess) -> None:
    total, block = 200_000, b"[[1.25, 2.5]]\n" * 1000
    connection = http.client.HTTPConnection(urlsplit(pusher.url).netloc, timeout=60)
    connection.putrequest("POST", f"/api/v1/models/{pusher.organization}/sizes/predict/stream")
    for name, value in {
        **HEADERS,
        "Authorization": f"Bearer {pusher._api_key}",
        "Transfer-Encoding": "chunked",
    }.items():
        connection.putheader(name, value)
    connection.endheaders()
    before = resident(server.pid)

    def send() -> None:
        for _ in range(total // 1000):
            connection.send(b"%x\r\n%b\r\n" % (len(block), block))
        connection.send(b"0\r\n\r\n")

    def lines() -> Iterator[bytes]:
        yield from connection.getresponse()

    sending = threading.Thread(target=send)
    sending.start()
    count, most, last = 0, 0, b""
    for line in lines():
        count, last = count + 1, line
        if count % 20_000 == 0:
            most = max(most, resident(server.pid))
    sending.join()
    assert json.loads(last)["rows"] == total == count - 1
    assert json.loads(last)["failed"] == 0
    assert most - before < 64 * 2**20
