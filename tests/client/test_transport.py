"""What is sent again, what is not, and how tokens are renewed: against a transport that plays the server."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from argosy.client import Argosy, ArgosyAPIError, ArgosyConnectionError, AsyncArgosy, RetryPolicy

ID = "0192f7b0-0000-7000-8000-000000000000"
MODEL = {"id": ID, "name": "m", "full_name": "o/m", "visibility": "private", "last_version": 0, "revision": 1}
VERSION = {"id": ID, "model": "o/m", "version": 1, "status": "ready", "revision": 1}
QUICK = RetryPolicy(base=0.001)
Answer = httpx2.Response | Exception
Handler = Callable[[httpx2.Request], httpx2.Response]


def in_turn(*answers: Answer) -> tuple[Handler, list[httpx2.Request]]:
    left = list(answers)
    seen: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        request.read()
        seen.append(request)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handle, seen


def argosy(handle: Handler, **options: Any) -> Argosy:
    options = dict[str, Any](api_key="ak_x", organization="o", retries=QUICK) | options
    return Argosy("http://argosy.test/", transport=httpx2.MockTransport(handle), **options)


def tokens(number: int, seconds: int = 900) -> httpx2.Response:
    body = {"access_token": f"a{number}", "refresh_token": f"r{number}", "expires_in": seconds, "token_type": "bearer"}
    return httpx2.Response(200, json=body)


def test_a_wait_longer_than_the_caller_allows_is_not_begun() -> None:
    handle, seen = in_turn(httpx2.Response(429, headers={"Retry-After": "3600"}, json={"detail": "quota"}))
    with pytest.raises(ArgosyAPIError, match="quota"):
        argosy(handle).model("m")
    assert len(seen) == 1


def test_a_date_to_come_back_at_is_understood() -> None:
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=5), usegmt=True)
    handle, seen = in_turn(httpx2.Response(503, headers={"Retry-After": past}), httpx2.Response(200, json=MODEL))
    assert argosy(handle).model("m").name == "m"
    assert len(seen) == 2
    far = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    handle, seen = in_turn(httpx2.Response(503, headers={"Retry-After": far}))
    with pytest.raises(ArgosyAPIError):
        argosy(handle).model("m")


def test_nonsense_in_retry_after_is_waited_for_as_usual() -> None:
    handle, seen = in_turn(httpx2.Response(503, headers={"Retry-After": "soon"}), httpx2.Response(200, json=MODEL))
    argosy(handle).model("m")
    assert len(seen) == 2


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500])
def test_a_refusal_is_not_sent_again(status: int) -> None:
    handle, seen = in_turn(httpx2.Response(status, json={"detail": "no"}))
    with pytest.raises(ArgosyAPIError):
        argosy(handle).model("m")
    assert len(seen) == 1


def test_a_change_without_a_key_is_not_sent_again() -> None:
    handle, seen = in_turn(httpx2.Response(503))
    with pytest.raises(ArgosyAPIError):
        argosy(handle).update_model("m", description="x")
    assert len(seen) == 1


def test_an_upload_is_sent_again_whole_and_with_the_same_key(onnx_file: Path) -> None:
    handle, seen = in_turn(
        httpx2.Response(200, json=MODEL), httpx2.ReadError("cut"), httpx2.Response(202, json=VERSION)
    )
    progress: list[tuple[int, int]] = []
    client = argosy(handle)
    client.push(onnx_file, name="m", wait=False, progress=lambda at: progress.append((at.done, at.total)))
    first, second = seen[1:]
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    for request in (first, second):
        assert onnx_file.read_bytes() in request.content
        assert b'"alias": "live"' in request.content
    assert progress[-1] == (onnx_file.stat().st_size, onnx_file.stat().st_size)


def test_the_reason_of_a_lost_connection_is_told() -> None:
    handle, _ = in_turn(httpx2.ConnectError("refused"), httpx2.ConnectError("refused"))
    with pytest.raises(ArgosyConnectionError, match=r"http://argosy\.test.*refused"):
        argosy(handle, retries=RetryPolicy(attempts=2, base=0.001)).model("m")


def test_an_error_without_a_problem_document_still_has_the_request_id() -> None:
    handle, _ = in_turn(httpx2.Response(500, text="<html>", headers={"X-Request-ID": "r9"}))
    with pytest.raises(ArgosyAPIError) as raised:
        argosy(handle).model("m")
    assert (raised.value.status, raised.value.errors, raised.value.request_id) == (500, [], "r9")
    assert raised.value.advice is None


def test_a_token_is_got_once_and_used() -> None:
    handle, seen = in_turn(tokens(1), httpx2.Response(200, json=MODEL), httpx2.Response(200, json=MODEL))
    kept: list[str] = []
    client = argosy(handle, api_key=None, username="ada", password="x", on_refresh=kept.append)
    client.model("m")
    client.model("m")
    assert seen[0].url.path == "/api/v1/auth/token"
    assert [request.headers.get("authorization") for request in seen] == [None, "Bearer a1", "Bearer a1"]
    assert kept == ["r1"]
    assert seen[1].headers["x-organization"] == "o"


def test_a_token_near_its_end_is_renewed_with_the_refresh_token() -> None:
    handle, seen = in_turn(
        tokens(1, seconds=5), httpx2.Response(200, json=MODEL), tokens(2), httpx2.Response(200, json=MODEL)
    )
    client = argosy(handle, api_key=None, username="ada", password="x")
    client.model("m")
    client.model("m")
    assert b"refresh_token=r1" in seen[2].content
    assert seen[3].headers["authorization"] == "Bearer a2"


def test_a_token_the_server_no_longer_takes_is_renewed_and_the_call_made() -> None:
    handle, seen = in_turn(tokens(1), httpx2.Response(401), tokens(2), httpx2.Response(201, json=MODEL))
    client = argosy(handle, api_key=None, username="ada", password="x")
    assert client.create_model("m").name == "m"
    assert seen[1].headers["idempotency-key"] == seen[3].headers["idempotency-key"]


def test_a_call_that_is_refused_twice_is_an_error() -> None:
    handle, _ = in_turn(tokens(1), httpx2.Response(401), tokens(2), httpx2.Response(401, json={"detail": "no"}))
    with pytest.raises(ArgosyAPIError, match="401 no"):
        argosy(handle, api_key=None, username="ada", password="x").model("m")


def test_a_sign_in_that_ended_begins_again_with_the_password() -> None:
    handle, seen = in_turn(httpx2.Response(400), tokens(2), httpx2.Response(200, json=MODEL))
    client = argosy(handle, api_key=None, username="ada", password="x", refresh_token="old")
    client.model("m")
    assert b"grant_type=password" in seen[1].content
    handle, _ = in_turn(httpx2.Response(400, json={"detail": "ended"}))
    with pytest.raises(ArgosyAPIError, match="ended"):
        argosy(handle, api_key=None, refresh_token="old").model("m")


def client_token(number: int, seconds: int = 900) -> httpx2.Response:
    return httpx2.Response(200, json={"access_token": f"a{number}", "expires_in": seconds, "token_type": "bearer"})


def test_a_client_gets_a_new_token_when_its_own_ends_or_is_refused() -> None:
    model = httpx2.Response(200, json=MODEL)
    answers = (client_token(1, seconds=5), model, client_token(2), httpx2.Response(401), client_token(3), model, model)
    handle, seen = in_turn(*answers)
    kept: list[str] = []
    client = argosy(handle, api_key=None, client_id="c", client_secret="s&=", on_refresh=kept.append)
    for _ in range(3):
        assert client.model("m").name == "m"
    assert [request.headers.get("authorization") for request in seen] == [
        None, "Bearer a1", None, "Bearer a2", None, "Bearer a3", "Bearer a3",
    ]  # fmt: skip
    assert seen[0].content == b"grant_type=client_credentials&client_id=c&client_secret=s%26%3D"
    assert "x-organization" not in seen[1].headers
    assert kept == []


def test_a_client_whose_secret_is_refused_is_told() -> None:
    handle, seen = in_turn(httpx2.Response(401, json={"detail": "unknown client"}))
    with pytest.raises(ArgosyAPIError, match="unknown client"):
        argosy(handle, api_key=None, client_id="c", client_secret="s").model("m")
    assert len(seen) == 1


def test_a_path_that_names_an_organization_goes_before_the_usual_one() -> None:
    handle, seen = in_turn(tokens(1), httpx2.Response(204), httpx2.Response(204))
    client = argosy(handle, api_key=None, username="ada", password="x")
    client.leave_organization("team")
    client.sign_out()
    assert [request.headers.get("x-organization") for request in seen[1:]] == [None, "o"]


def test_a_refused_api_key_is_an_error_at_once() -> None:
    handle, seen = in_turn(httpx2.Response(401, json={"detail": "revoked"}))
    with pytest.raises(ArgosyAPIError, match="revoked"):
        argosy(handle).model("m")
    assert len(seen) == 1


def test_threads_renew_a_token_once() -> None:
    lock, renewals, together = threading.Lock(), [0], threading.Barrier(4)

    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/token"):
            with lock:
                renewals[0] += 1
            return tokens(renewals[0])
        return httpx2.Response(200, json=MODEL)

    client = argosy(handle, api_key=None, username="ada", password="x")

    def call() -> str:
        together.wait()
        return client.model("m").name

    with ThreadPoolExecutor(4) as pool:
        assert [one.result() for one in [pool.submit(call) for _ in range(4)]] == ["m"] * 4
    assert renewals == [1]


async def test_tasks_renew_a_token_once() -> None:
    renewals = [0]

    async def handle(request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(0)
        if request.url.path.endswith("/token"):
            renewals[0] += 1
            return tokens(renewals[0])
        return httpx2.Response(200, json=MODEL)

    options: dict[str, Any] = {"username": "ada", "password": "x", "organization": "o"}
    async with AsyncArgosy("http://argosy.test", transport=httpx2.MockTransport(handle), **options) as client:
        found = await asyncio.gather(*(client.model("m") for _ in range(4)))
    assert ([one.name for one in found], renewals) == (["m"] * 4, [1])


def test_a_download_that_breaks_off_leaves_no_file_and_is_tried_again(tmp_path: Path) -> None:
    class Cut(httpx2.SyncByteStream):
        def __iter__(self) -> Any:
            yield b"half"
            raise httpx2.ReadError("cut")

    handle, _ = in_turn(httpx2.Response(200, stream=Cut()), httpx2.Response(200, content=b"whole"))
    target = tmp_path / "model.onnx"
    assert argosy(handle).download("m", 1, target).read_bytes() == b"whole"
    handle, _ = in_turn(*(httpx2.Response(200, stream=Cut()) for _ in range(4)))
    with pytest.raises(ArgosyConnectionError):
        argosy(handle).download("m", 1, target)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert target.read_bytes() == b"whole"


@pytest.mark.parametrize("name", ["a/b/c", "o/", "/m", "o/..", "../m", ""])
def test_a_name_cannot_lead_elsewhere(name: str) -> None:
    handle, seen = in_turn(httpx2.Response(200, json=MODEL))
    with pytest.raises(ValueError, match="name"):
        argosy(handle).model(name)
    assert seen == []


def test_odd_characters_of_a_name_stay_in_its_place() -> None:
    handle, seen = in_turn(httpx2.Response(204))
    argosy(handle).remove_alias("o/m?x#y", "a/b")
    assert seen[0].url.raw_path == b"/api/v1/models/o/m%3Fx%23y/aliases/a%2Fb"


def test_what_is_not_given_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_URL", "http://elsewhere.test/")
    monkeypatch.setenv("ARGOSY_API_KEY", "ak_env")
    handle, seen = in_turn(httpx2.Response(200, json=MODEL), tokens(1), httpx2.Response(200, json=MODEL))
    transport = httpx2.MockTransport(handle)
    Argosy(organization="o", transport=transport).model("m")
    Argosy(organization="o", username="ada", password="x", transport=transport).model("m")
    assert str(seen[0].url).startswith("http://elsewhere.test/api/v1/models")
    assert [seen[index].headers["authorization"] for index in (0, 2)] == ["Bearer ak_env", "Bearer a1"]
