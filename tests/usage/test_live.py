"""Usage as it is counted: events that add up, for those who may, for as long as they may."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from argosy.client import Argosy, ArgosyAPIError
from argosy.kit.clock import today
from argosy.usage.live import MOST_STREAMS, grown, missed, resumption
from tests.support.callers import PASSWORD
from tests.support.models import linear_classifier
from tests.support.servers import ServerProcess

ROW = {"width": 3.0, "height": 4.0}
Event = dict[str, str]


@contextmanager
def watching(client: Argosy, **headers: str) -> Iterator[Iterator[Event]]:
    with (
        httpx2.Client(base_url=client.url, timeout=10) as http,
        http.stream("GET", "/api/v1/usage/live", headers={"X-API-Key": str(client._api_key), **headers}) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer.iter_lines())


def events(lines: Iterator[str]) -> Iterator[Event]:
    event: Event = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            event[name] = value
        elif event:
            yield event
            event = {}


def usage(stream: Iterator[Event]) -> Iterator[tuple[str, Any]]:
    for event in stream:
        if event.get("event") == "usage":
            yield event["id"], json.loads(event["data"])


@pytest.fixture(scope="module")
def owner(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Argosy:
    client = server.new_client()
    path = tmp_path_factory.mktemp("models") / "sizes.onnx"
    path.write_bytes(linear_classifier())
    client.push(path, name="sizes", sample=[ROW])
    return client


def test_events_add_up_to_what_was_called(owner: Argosy, server: ServerProcess) -> None:
    before = owner.usage("model")
    stranger = server.new_client()
    with watching(owner) as stream, watching(stranger) as other:
        assert next(stream) == {"retry": "3000"}
        found, others = usage(stream), usage(other)
        _, first = next(found)
        next(others)
        assert (first["seconds"], first["items"], first["missed"]) == (0, [], None)
        for _ in range(5):
            owner.predict("sizes", [ROW, ROW])
        calls = rows = 0
        for _, event in found:
            assert 0.5 < event["seconds"] < 5
            for item in event["items"]:
                assert (item["model"], item["version"]) == (f"{owner.organization}/sizes", 1)
            calls, rows = calls + event["calls"], rows + event["rows"]
            if calls >= 5:
                break
        assert (calls, rows) == (5, 10)
        assert next(found)[1]["items"] == []
        assert next(others)[1]["calls"] == 0, "what others use is not shown"
    after = owner.usage("model")
    assert (after.calls - before.calls, after.rows - before.rows) == (calls, rows)


def test_what_came_between_two_streams_is_told(owner: Argosy) -> None:
    with watching(owner) as stream:
        last, _ = next(usage(stream))
    owner.predict("sizes", [ROW] * 3)
    with pytest.raises(ArgosyAPIError):
        owner.predict("sizes", [{"width": 3.0}])
    time.sleep(0.7)
    with watching(owner, **{"Last-Event-ID": last}) as stream:
        told = usage(stream)
        assert next(told)[1]["missed"] == {"calls": 1, "rows": 3, "refused": 1, "errors": 0}
        assert next(told)[1]["missed"] is None
    for unknown in (
        "",
        "nonsense",
        "2020-01-01:1:1:1:1",
        "2026-99-99:1:1:1:1",
        f"{today()}:1:1",
        f"{today()}:99999:9:9:9",
    ):
        with watching(owner, **{"Last-Event-ID": unknown}) as stream:
            assert next(usage(stream))[1]["missed"] is None


def test_a_stream_ends_when_its_key_is_revoked(server: ServerProcess, owner: Argosy) -> None:
    assert owner.organization is not None
    person = Argosy(server.url, username=owner.organization, password=PASSWORD)
    made = person.create_api_key("short", ["usage:read"])
    with watching(Argosy(server.url, api_key=made.key)) as stream:
        next(usage(stream))
        person.revoke_api_key(made.id)
        last = list(stream)[-1]
    assert last == {"event": "end", "data": '{"reason": "unauthenticated"}'}


def test_only_those_who_may_see_usage_may_watch_it(server: ServerProcess, owner: Argosy) -> None:
    assert owner.organization is not None
    person = Argosy(server.url, username=owner.organization, password=PASSWORD)
    key = person.create_api_key("narrow", ["predict"]).key
    url = f"{server.url}/api/v1/usage/live"
    assert httpx2.get(url).status_code == 401
    refused = httpx2.get(url, headers={"X-API-Key": str(key)})
    assert (refused.status_code, refused.json()["required_scope"]) == (403, "usage:read")


def test_an_organization_watches_so_often_at_once(server: ServerProcess) -> None:
    client = server.new_client()
    url, headers = f"{server.url}/api/v1/usage/live", {"X-API-Key": str(client._api_key)}
    with ExitStack() as stack:
        streams = [stack.enter_context(watching(client)) for _ in range(MOST_STREAMS)]
        assert [next(stream) for stream in streams] == [{"retry": "3000"}] * MOST_STREAMS
        refused = httpx2.get(url, headers=headers)
        assert refused.status_code == 429
        assert refused.json()["type"] == "urn:argosy:problem:too-many-streams"
        assert refused.headers["Retry-After"] == "5"
        other = stack.enter_context(watching(server.new_client()))
        assert next(other) == {"retry": "3000"}
    for _ in range(50):
        with httpx2.stream("GET", url, headers=headers) as answer:
            if answer.status_code == 200:
                break
        time.sleep(0.1)
    else:
        raise AssertionError("a stream that ended keeps its place")


def test_a_stop_ends_streams_at_once(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data")
    server.start()
    client = server.new_client()
    with watching(client) as stream:
        next(usage(stream))
        started = time.monotonic()
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        assert all(event["event"] == "usage" for event in stream)
    stopping.join()
    assert time.monotonic() - started < 5


def test_readings_are_compared_by_version_and_day() -> None:
    day, next_day = today() - timedelta(days=1), today()
    before = {("a/b", 1, day): (5, 50, 1, 0), ("a/b", 2, day): (1, 1, 0, 0), ("a/old", 1, day): (9, 9, 0, 0)}
    after = {("a/b", 1, day): (6, 52, 3, 0), ("a/b", 1, next_day): (2, 4, 0, 1), ("a/b", 2, day): (1, 1, 0, 0)}
    (item,) = grown(before, after)
    assert (item.version, item.calls, item.rows, item.refused, item.errors) == (1, 3, 6, 2, 1)
    resumed = resumption(f"{next_day}:1:1:0:0")
    assert resumed is not None
    told = missed(resumed, after)
    assert told is not None
    assert (told.calls, told.rows, told.refused, told.errors) == (1, 3, 0, 1)
    assert missed((day, (100, 100, 0, 0)), after) is None
