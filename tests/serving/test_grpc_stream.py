"""Triton's stream of inferences: order, errors, bounds, and callers who go or may no longer stay."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from fastapi import FastAPI
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc

from argosy.serving.protocols import grpc_stream
from argosy.serving.protocols.proto import inference_pb2 as pb
from argosy.settings import GrpcSettings, NetworkSettings, RatesSettings, Settings
from tests.support.callers import Caller
from tests.support.grpc import Grpc, connected, raw_request, typed_request
from tests.support.models import pushed
from tests.support.settings import make_settings

ENDS = 10.0


@pytest.fixture
def settings(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    changes: dict[str, Any] = {}
    if request.node.get_closest_marker("strict"):
        changes = {
            "rates": RatesSettings(predict=4),
            "network": NetworkSettings(hosts=["argosy.test"], body_timeout=0.3),
        }
    return make_settings(tmp_path / "data", database_url, grpc=GrpcSettings(port=0), **changes)


@pytest.fixture
async def anyone(app: FastAPI) -> AsyncIterator[Grpc]:
    async with connected(app) as client:
        yield client


@pytest.fixture
async def ours(anyone: Grpc, owner: Caller) -> Grpc:
    await pushed(owner)
    return anyone.as_(owner.key)


class Slow:
    """Model answers that wait until they are let go, and are counted."""

    def __init__(self, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.cancelled = 0, 0
        self.gate = asyncio.Event()
        infer = app.state.serving.infer

        async def slowly(*given: Any) -> Any:
            self.begun += 1
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            return await infer(*given)

        monkeypatch.setattr(app.state.serving, "infer", slowly)

    async def until(self, name: str, number: int) -> None:
        async with asyncio.timeout(5):
            while getattr(self, name) != number:  # noqa: ASYNC110 - the number is what is waited for
                await asyncio.sleep(0.01)


@pytest.fixture
def slow(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Slow:
    return Slow(app, monkeypatch)


async def said(call: Any, *requests: pb.ModelInferRequest | bytes) -> list[pb.ModelStreamInferResponse]:
    """Send all, then say that this is all, and read to the end."""

    async def send() -> None:
        for request in requests:
            await call.write(request if isinstance(request, bytes) else request.SerializeToString())
        await call.done_writing()

    sending = asyncio.create_task(send())
    answers = [answer async for answer in call]
    await sending
    return answers


async def test_each_message_is_answered_in_order(ours: Grpc, owner: Caller) -> None:
    requests: list[pb.ModelInferRequest] = [
        make(id=str(number), rows=[[number, 1]] * (1 + number % 7))
        for number in range(100)
        for make in ([raw_request] if number % 2 else [typed_request])
    ]
    answers = await said(ours.stream(), *requests)
    assert [answer.infer_response.id for answer in answers] == [str(number) for number in range(100)]
    assert not any(answer.error_message for answer in answers)
    for number, answer in enumerate(answers):
        alone = await ours.call("ModelInfer", requests[number]) if number % 25 == 0 else answer.infer_response
        assert answer.infer_response == alone
        assert answer.infer_response.outputs[0].shape == [1 + number % 7]
    await asyncio.sleep(0.3)
    assert (await owner.get("/usage")).json()["calls"] == 104


async def test_a_message_that_fails_says_so_and_the_others_are_answered(ours: Grpc) -> None:
    wrong: list[pb.ModelInferRequest | bytes] = [
        b"\xff\xff",
        raw_request("nothing", id="1"),
        raw_request("a/b/c", id="2"),
        raw_request(rows=[[float("nan"), 1]], id="3"),
        raw_request(model_version="7", id="4"),
        pb.ModelInferRequest(model_name="sizes", id="5"),
        raw_request("stranger/sizes", id="6"),
    ]
    answers = await said(ours.stream(), *(one for two in wrong for one in (two, raw_request())))
    assert [bool(answer.error_message) for answer in answers] == [True, False] * len(wrong)
    assert [answer.infer_response.id for answer in answers[::2]] == ["", *map(str, range(1, 7))]
    assert all(answer.infer_response.outputs for answer in answers[1::2])


async def test_a_defect_of_ours_tells_nothing(ours: Grpc, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("the secret is swordfish")

    monkeypatch.setattr(app.state.serving, "infer", broken)
    (answer,) = await said(ours.stream(), raw_request())
    assert answer.error_message == "Internal error"
    error = await ours.refused("ModelInfer", raw_request())
    assert (error.code(), error.details()) == (StatusCode.INTERNAL, "Internal error")


async def test_several_are_under_way_and_no_more(ours: Grpc, slow: Slow) -> None:
    call = ours.stream()
    for number in range(3 * grpc_stream.UNDER_WAY):
        await call.write(raw_request(id=str(number)).SerializeToString())
    await slow.until("begun", grpc_stream.UNDER_WAY)
    await asyncio.sleep(0.2)
    assert slow.begun == grpc_stream.UNDER_WAY
    slow.gate.set()
    await call.done_writing()
    assert [answer.infer_response.id async for answer in call] == [str(one) for one in range(3 * grpc_stream.UNDER_WAY)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_nobody_waits_for_is_abandoned(ours: Grpc, slow: Slow) -> None:
    stream = ours.stream()
    for _ in range(3):
        await stream.write(raw_request().SerializeToString())
    await slow.until("begun", 3)
    stream.cancel()
    await slow.until("cancelled", 3)
    call = ours.call("ModelInfer", raw_request())
    await slow.until("begun", 4)
    call.cancel()
    await slow.until("cancelled", 4)
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await ours.call("ModelInfer", raw_request(), timeout=0.2)
    assert late.value.code() is StatusCode.DEADLINE_EXCEEDED
    await slow.until("cancelled", 5)


async def test_a_stream_is_for_those_who_may_predict(anyone: Grpc, owner: Caller, stranger: Caller) -> None:
    await pushed(owner)
    for client in (anyone, anyone.as_("ak_nonsense")):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await said(client.stream())
        assert refused.value.code() is StatusCode.UNAUTHENTICATED
    (hidden,) = await said(anyone.as_(stranger.key).stream(), raw_request("owner/sizes"))
    assert hidden.error_message
    # A person acts where the model is, message by message.
    answers = await said(anyone.as_(owner.token).stream(), raw_request(), raw_request("owner/sizes"))
    assert not any(answer.error_message for answer in answers)


async def test_a_stream_ends_when_its_key_is_revoked(ours: Grpc, owner: Caller) -> None:
    call = ours.stream()
    await call.write(raw_request().SerializeToString())
    assert (await call.read()).infer_response.outputs
    await owner.delete(f"/organizations/owner/api-keys/{owner.key_id}")
    await call.write(raw_request().SerializeToString())
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await call.read()
    assert ended.value.code() is StatusCode.UNAUTHENTICATED


@pytest.mark.strict
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_stream_waits_at_the_limit(ours: Grpc) -> None:
    call = ours.stream()  # which counts as one
    for _ in range(4):
        await call.write(raw_request().SerializeToString())
    answers = [await call.read() for _ in range(3)]
    assert not any(answer.error_message for answer in answers)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await call.read()
    error = await ours.refused("ModelInfer", raw_request())
    assert error.code() is StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.strict
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_request_that_never_comes_is_given_up(anyone: Grpc) -> None:
    ask: Any = anyone.channel.stream_unary("/inference.GRPCInferenceService/ServerLive")
    call = ask(timeout=5)
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await call
    assert late.value.code() is StatusCode.DEADLINE_EXCEEDED
    assert "stopped arriving" in (late.value.details() or "")
    nothing = ask(timeout=5)
    await nothing.done_writing()
    with pytest.raises(grpc.aio.AioRpcError) as empty:
        await nothing
    assert empty.value.code() is StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_stop_answers_what_is_under_way_and_lets_go_of_the_rest(app: FastAPI, ours: Grpc, slow: Slow) -> None:
    health: Any = health_pb2_grpc.HealthStub(ours.channel)
    watch = health.Watch(health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    stream, call = ours.stream(), ours.call("ModelInfer", raw_request(id="alone"))
    await stream.write(raw_request(id="streamed").SerializeToString())
    await slow.until("begun", 2)
    stopping = asyncio.create_task(app.state.grpc.stop())
    await asyncio.sleep(0.1)
    slow.gate.set()
    async with asyncio.timeout(ENDS):
        assert (await call).id == "alone"
        assert (await stream.read()).infer_response.id == "streamed"
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await stream.read()
        assert ended.value.code() is StatusCode.UNAVAILABLE
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert await watch.read() is grpc.aio.EOF
        await stopping
