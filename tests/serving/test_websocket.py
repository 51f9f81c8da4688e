"""Predictions over a WebSocket: many in flight, in bounded memory, and closed to whoever may not."""

import asyncio
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from argosy.client import Argosy
from argosy.serving.protocols.websocket import MOST_IN_FLIGHT, read
from argosy.serving.protocols.window import Window
from argosy.signature.errors import InvalidInput
from tests.support.callers import ALL_SCOPES, PASSWORD
from tests.support.models import linear_classifier, patient
from tests.support.servers import ServerProcess
from tests.support.sockets import talk

ROW = {"width": 3.0, "height": 4.0}
SLOW = 2_000_000


@dataclass
class Account:
    """A person with a key and two models, on a server of its own process."""

    person: Argosy
    slug: str
    key: str
    key_id: str

    def socket(self, model: str = "sizes", key: str | None = None, **options: Any) -> connect:
        headers = {"Authorization": f"Bearer {key or self.key}"} | options.pop("headers", {})
        return connect(self.address(model), additional_headers=headers, proxy=None, **options)

    def address(self, model: str = "sizes") -> str:
        return f"{self.person.url.replace('http', 'ws', 1)}/ws/models/{self.slug}/{model}"


def account(server: ServerProcess, folder: Path) -> Account:
    slug = f"user-{secrets.token_hex(4)}"
    person = Argosy(server.url, username=slug, password=PASSWORD)
    person.register(f"{slug}@example.org", slug, PASSWORD)
    for name, content, sample in (("sizes", linear_classifier(), [ROW]), ("patient", patient(), None)):
        (folder / f"{name}.onnx").write_bytes(content)
        person.push(folder / f"{name}.onnx", name=name, sample=sample)
    key = person.create_api_key("tests", ALL_SCOPES)
    assert key.key is not None
    return Account(person, slug, key.key, str(key.id))


@pytest.fixture(scope="module")
def owner(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Account:
    return account(server, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def narrow(tight: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Account:
    return account(tight, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with limits that a test can reach."""
    folder = tmp_path_factory.mktemp("tight")
    running = ServerProcess(folder / "data", ARGOSY_RATES_PREDICT="20", ARGOSY_LIMITS_BODY_BYTES="4000")
    running.start()
    yield running
    running.stop()


async def ask(socket: ClientConnection, *requests: Any) -> list[Any]:
    for request in requests:
        await socket.send(request if isinstance(request, str | bytes) else json.dumps(request))
    return [json.loads(await socket.recv()) for _ in requests]


async def closing(socket: ClientConnection) -> int:
    with suppress(ConnectionClosed):
        async with asyncio.timeout(15):
            while True:
                await socket.recv()
    assert socket.close_code is not None
    return socket.close_code


async def test_answers_are_the_typed_routes(owner: Account) -> None:
    typed = owner.person.predict("sizes", [ROW])
    forms: dict[str, dict[str, Any]] = {
        "a": {"rows": [ROW]},
        "b": {"columns": {"width": [3.0], "height": [4.0]}},
        "c": {"data": [[3.0, 4.0]]},
    }
    async with owner.socket() as socket:
        assert socket.response is not None
        request_id = socket.response.headers["X-Request-ID"]
        for known_as, form in forms.items():
            (answer,) = await ask(socket, {"id": known_as, **form})
            assert answer["id"] == known_as
            assert answer["result"]["predictions"] == typed.predictions
            assert (answer["result"]["model"], answer["result"]["version"]) == (typed.model, 1)
            assert answer["result"]["request_id"] == request_id
    for query, code in (("?version=1", 0), ("?alias=live", 0), ("?version=7", 4404), ("?alias=none", 4404)):
        async with owner.socket(f"sizes{query}") as socket:
            if code:
                assert await closing(socket) == code
            else:
                assert (await ask(socket, {"id": 1, "rows": [ROW]}))[0]["result"]["version"] == 1


async def test_many_are_in_flight_and_each_answer_says_whose_it_is(owner: Account) -> None:
    async with owner.socket() as socket:
        answers = await ask(socket, *({"id": number, "data": [[number, 0.0]]} for number in range(500)))
    assert {answer["id"] for answer in answers} == set(range(500))
    labels = {answer["id"]: answer["result"]["predictions"][0]["label"] for answer in answers}
    assert {number for number, label in labels.items() if label == "small"} == {0, 1, 2}


async def test_what_is_ready_first_is_answered_first(owner: Account) -> None:
    async with owner.socket("patient") as socket:
        await ask(socket, {"id": "loaded", "data": [[1]]})
        await socket.send(json.dumps({"id": "slow", "data": [[SLOW]]}))
        await asyncio.sleep(0.05)
        await socket.send(json.dumps({"id": "quick", "data": [[1]]}))
        assert [json.loads(await socket.recv())["id"] for _ in range(2)] == ["quick", "slow"]


async def test_a_wrong_request_is_told_and_the_connection_goes_on(owner: Account) -> None:
    wrong: list[tuple[str, object, int, str]] = [
        ("{", None, 400, "json_invalid"),
        ('{"id": 1, "id": 2}', None, 400, "json_invalid"),
        ("[]", None, 422, "dict_type"),
        ('{"rows": []}', None, 422, "missing"),
        ('{"id": null, "rows": []}', None, 422, "id_type"),
        ('{"id": true, "rows": []}', None, 422, "id_type"),
        ('{"id": 1.5, "rows": []}', None, 422, "id_type"),
        (json.dumps({"id": "x" * 129}), None, 422, "id_type"),
        ('{"id": 3}', 3, 422, "missing"),
        ('{"id": 4, "rows": [], "more": 1}', 4, 422, "extra_forbidden"),
        ('{"id": "ü", "rows": [{"width": "no"}]}', "ü", 422, "missing"),
        (json.dumps({"id": 5, "data": [[1, 2]] * 10_001}), 5, 413, "too_many_rows"),
        ('{"authorization": "Bearer ak_x"}', None, 422, "missing"),
    ]
    async with owner.socket() as socket:
        for frame, known_as, status, kind in wrong:
            (answer,) = await ask(socket, frame)
            assert answer["id"] == known_as, frame
            assert answer["error"]["status"] == status, answer
            assert answer["error"]["errors"][0]["type"] == kind, answer
        assert (await ask(socket, {"id": 1, "rows": [ROW]}))[0]["result"]["version"] == 1


async def test_frames_of_bytes_and_oversized_frames_end_it(owner: Account, narrow: Account) -> None:
    async with owner.socket() as socket:
        await socket.send(b'{"id": 1}')
        assert await closing(socket) == 1003
    for pieces in (["x" * 5000], ["x" * 1500] * 4):
        async with narrow.socket() as socket:
            with suppress(ConnectionClosed):
                await socket.send(pieces)
            assert await closing(socket) == 1009
    async with owner.socket() as socket:
        with suppress(ConnectionClosed):
            await socket.send([""] * 3000)
        assert await closing(socket) == 1008, "empty fragments count nothing against the size"


async def test_nothing_comes_compressed(owner: Account) -> None:
    async with owner.socket(compression="deflate") as socket:
        assert socket.response is not None
        assert "Sec-WebSocket-Extensions" not in socket.response.headers


async def test_credentials_come_in_a_header_or_in_the_first_message(owner: Account) -> None:
    async with connect(owner.address(), additional_headers={"X-API-Key": owner.key}, proxy=None) as socket:
        assert (await ask(socket, {"id": 1, "rows": [ROW]}))[0]["id"] == 1
    async with connect(owner.address(), proxy=None) as socket:
        await socket.send(json.dumps({"authorization": f"Bearer {owner.key}"}))
        assert (await ask(socket, {"id": 1, "rows": [ROW]}))[0]["id"] == 1
    for first in ("{", "[]", json.dumps({"id": 1, "rows": [ROW]}), json.dumps({"authorization": "Bearer ak_no"})):
        async with connect(owner.address(), proxy=None) as socket:
            await socket.send(first)
            assert await closing(socket) == 4401
    for header in ("Bearer ak_no", "Nonsense"):
        async with owner.socket(headers={"Authorization": header}) as socket:
            assert await closing(socket) == 4401
    weak = owner.person.create_api_key("weak", ["models:read"]).key
    async with owner.socket(key=weak) as socket:
        assert await closing(socket) == 4403


async def test_whoever_says_nothing_is_closed(owner: Account) -> None:
    started = time.monotonic()
    async with connect(owner.address(), proxy=None) as socket:
        assert await closing(socket) == 4401
    assert 9 < time.monotonic() - started < 13


async def test_a_cookie_counts_only_for_a_page_of_ours(owner: Account) -> None:
    own = owner.person.url
    body = {"username": owner.slug, "password": PASSWORD}
    response = httpx2.post(f"{own}/api/v1/auth/login", json=body, headers={"Origin": own})
    cookie = {"Cookie": response.headers["set-cookie"].partition(";")[0]}
    async with connect(owner.address(), additional_headers=cookie, origin=own, proxy=None) as socket:  # type: ignore[arg-type]
        assert (await ask(socket, {"id": 1, "rows": [ROW]}))[0]["id"] == 1
    for origin in (None, "https://evil.example", "null", own.replace("http", "https"), f"{own}0"):
        async with connect(owner.address(), additional_headers=cookie, origin=origin, proxy=None) as socket:  # type: ignore[arg-type]
            assert await closing(socket) == 4403, origin


async def test_what_one_may_not_see_does_not_exist(owner: Account, server: ServerProcess) -> None:
    stranger = server.new_client()
    for address in (owner.address(), owner.address("none")):
        headers = {"Authorization": f"Bearer {stranger._api_key}"}
        async with connect(address, additional_headers=headers, proxy=None) as socket:
            assert await closing(socket) == 4404
            assert socket.close_reason == "model-not-found"


async def test_a_url_or_host_that_is_wrong_is_refused_in_the_handshake(owner: Account) -> None:
    for model, status in (("sizes?version=0", 422), ("sizes?version=1&version=x", 422), ("S%00", 422)):
        with pytest.raises(InvalidStatus) as refused:
            async with owner.socket(model):
                pass
        assert refused.value.response.status_code == status
        assert refused.value.response.headers["Content-Type"] == "application/problem+json"
    host, _, port = owner.person.url.removeprefix("http://").partition(":")
    upgrade = (
        "GET /ws/models/a/b HTTP/1.1\r\nHost: evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    reply = talk((host, int(port)), upgrade.encode())
    assert reply.statuses == [421]


async def test_a_revoked_key_ends_its_connections_idle_or_not(owner: Account) -> None:
    for idle in (True, False):
        made = owner.person.create_api_key("short", ALL_SCOPES)
        async with owner.socket(key=made.key) as socket:
            await ask(socket, {"id": 1, "rows": [ROW]})
            owner.person.revoke_api_key(made.id)
            if not idle:
                await socket.send(json.dumps({"id": 2, "rows": [ROW]}))
            assert await closing(socket) == 4401


async def test_an_alias_that_moves_moves_the_connection(owner: Account, tmp_path: Path) -> None:
    (tmp_path / "moving.onnx").write_bytes(linear_classifier())
    for _ in range(2):
        owner.person.push(tmp_path / "moving.onnx", name="moving", sample=[ROW], alias=None)
    owner.person.set_alias("moving", "live", 1)
    async with owner.socket("moving") as socket:
        assert (await ask(socket, {"id": 1, "rows": [ROW]}))[0]["result"]["version"] == 1
        owner.person.set_alias("moving", "live", 2)
        assert (await ask(socket, {"id": 2, "rows": [ROW]}))[0]["result"]["version"] == 2
        owner.person.delete_model("moving")
        assert await closing(socket) == 4404


async def test_each_request_is_metered_and_counts_against_the_limit(narrow: Account) -> None:
    key = narrow.person.create_api_key("limited", ALL_SCOPES).key
    async with narrow.socket(key=key) as socket:
        answers = await ask(socket, *({"id": number, "rows": [ROW, ROW]} for number in range(30)))
        answered = [answer["id"] for answer in answers if "result" in answer]
        limited = [answer["error"] for answer in answers if "error" in answer]
        # The handshake was the first; a minute may have passed into the next.
        assert len(answered) >= 19
        assert len(limited) in range(1, 12)
        assert {one["status"] for one in limited} == {429}
        assert all(0 < one["retry_after"] <= 60 for one in limited)
        assert (await ask(socket, "{"))[0]["error"]["status"] == 429
    await asyncio.sleep(0.6)
    usage = narrow.person.usage("model")
    assert (usage.calls, usage.rows) == (len(answered), 2 * len(answered))


def resident(pid: int) -> int:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


async def test_a_client_that_does_not_read_is_not_read(owner: Account, server: ServerProcess) -> None:
    request = json.dumps({"id": 1, "data": [[1.25, 2.5]] * 300})
    async with owner.socket(max_queue=1, ping_interval=None) as socket:
        await ask(socket, request)
        before, sent = resident(server.pid), 0
        with suppress(TimeoutError):
            while sent < 20_000:
                async with asyncio.timeout(1):
                    await socket.send(request)
                sent += 1
        assert sent < 20_000, "sending has come to a halt"
        assert resident(server.pid) - before < 64 * 2**20
        assert len(owner.person.predict("sizes", [ROW])) == 1, "others are served"
        for _ in range(sent):
            assert "result" in json.loads(await socket.recv())
        socket.transport.abort()


async def test_a_ping_is_answered_while_requests_wait(owner: Account) -> None:
    async with owner.socket("patient") as socket:
        await socket.send(json.dumps({"id": "slow", "data": [[SLOW]]}))
        async with asyncio.timeout(5):
            await (await socket.ping())
        await socket.recv()


async def test_a_client_that_goes_leaves_nothing_behind(owner: Account) -> None:
    async with owner.socket("patient") as socket:
        await ask(socket, {"id": 1, "data": [[1]]})
        for number in range(MOST_IN_FLIGHT):
            await socket.send(json.dumps({"id": number, "data": [[SLOW]]}))
    started = time.monotonic()
    async with owner.socket("patient") as socket:
        await ask(socket, {"id": 1, "data": [[1]]})
    assert time.monotonic() - started < 5, "what nobody waits for does not hold up others"


async def test_a_window_bounds_requests_and_bytes() -> None:
    for requests, size, each, fit in ((3, 100, 1, 3), (10, 100, 40, 2), (10, 100, 500, 1)):
        window = Window(requests, size)
        for _ in range(fit):
            await window.enter(each)
        waiting = asyncio.create_task(window.enter(each))
        await asyncio.sleep(0)
        assert not waiting.done()
        window.leave(each)
        async with asyncio.timeout(1):
            await waiting


def test_any_id_that_json_has_comes_back_as_it_was() -> None:
    for known_as in ('"a"', '""', '"\\u00fc"', '"\\u2028"', "0", "-1", str(2**63 - 1)):
        told, request = read(b'{"id": %b, "rows": 1}' % known_as.encode())
        assert json.loads(told) == json.loads(known_as)
        assert request == {"rows": 1}
    for known_as in (str(2**63), "9" * 400, "1e400", '"\\ud800"', "{}", "NaN"):
        told, request = read(b'{"id": %b, "rows": 1}' % known_as.encode())
        assert told == b"null"
        assert isinstance(request, InvalidInput)


async def test_a_stop_answers_what_is_in_flight_then_closes(tight: ServerProcess, narrow: Account) -> None:
    async with (
        narrow.socket("patient") as busy,
        narrow.socket() as idle,
        connect(narrow.address(), proxy=None) as unknown,
    ):
        await ask(busy, {"id": 1, "data": [[1]]})
        await busy.send(json.dumps({"id": "slow", "data": [[SLOW]]}))
        await asyncio.sleep(0.1)
        stopping = asyncio.create_task(asyncio.to_thread(tight.stop))
        assert json.loads(await busy.recv())["id"] == "slow"
        assert [await closing(socket) for socket in (busy, idle, unknown)] == [1012] * 3
    started = time.monotonic()
    assert await stopping == 0
    assert time.monotonic() - started < 5
