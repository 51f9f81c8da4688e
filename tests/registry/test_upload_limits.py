"""Uploads are bounded while they arrive, and a stranger's is refused before it is read."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from argosy.app import create_app
from argosy.settings import LimitsSettings
from tests.support.callers import Caller, register
from tests.support.settings import make_settings

LIMIT = 100_000
HEAD = b'--x\r\nContent-Disposition: form-data; name="artifact"; filename="m"\r\n\r\n\x08\x09\x12\x00'


@pytest.fixture
async def uploader(database_url: str, tmp_path: Path) -> AsyncIterator[Caller]:
    app = create_app(make_settings(tmp_path / "data", database_url, limits=LimitsSettings(upload_bytes=LIMIT)))
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://argosy.test") as http,
    ):
        caller = await register(http, "owner")
        await caller.post("/models", json={"name": "sizes"})
        yield caller


async def send(caller: Caller, size: int, *, declared: bool, org: str = "owner") -> tuple[httpx2.Response, int]:
    taken = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal taken
        yield HEAD
        for _ in range(size // 10_000):
            taken += 10_000
            yield b"x" * 10_000
        yield b"\r\n--x--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    if declared:
        headers["Content-Length"] = str(size)
    response = await caller.post(f"/models/{org}/sizes/versions", content=chunks(), headers=headers)
    return response, taken


@pytest.mark.parametrize("declared", [True, False])
async def test_four_times_the_limit_is_refused_near_the_limit(uploader: Caller, declared: bool) -> None:
    response, taken = await send(uploader, 4 * LIMIT, declared=declared)
    assert response.status_code == 413
    assert response.json()["type"] == "urn:argosy:problem:content-too-large"
    assert response.json()["limit"] == LIMIT
    assert declared or taken <= 2 * LIMIT
    assert (await uploader.get("/models/owner/sizes/versions")).json()["total"] == 0


async def test_a_strangers_upload_is_refused_before_it_is_read(uploader: Caller) -> None:
    response, taken = await send(uploader, LIMIT // 2, declared=False, org="nobody")
    assert response.status_code == 404
    assert taken <= 10_000


async def test_a_body_that_is_no_multipart_is_a_bad_request(uploader: Caller) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=y"}
    response = await uploader.post("/models/owner/sizes/versions", content=b"--x\r\nnothing", headers=headers)
    assert response.status_code in {400, 422}
    assert response.headers["content-type"] == "application/problem+json"
