"""The Open Inference Protocol over gRPC: every call, who may make it, and what is refused and how."""

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from fastapi import FastAPI
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from argosy import __version__
from argosy.serving.protocols.grpc_visit import Addresses
from argosy.serving.protocols.oip_tensors import from_bytes
from argosy.serving.protocols.proto import inference_pb2 as pb
from argosy.settings import GrpcSettings, LimitsSettings, PublicSettings, RatesSettings, Settings
from tests.support.callers import Caller
from tests.support.grpc import ROWS, SERVICE, Grpc, connected, raw_request, typed_request
from tests.support.models import pushed, sums, upload
from tests.support.settings import make_settings

Tensor = pb.ModelInferRequest.InferInputTensor
BODY = 100_000
REST = {"inputs": [{"name": "X", "shape": [2, 2], "datatype": "FP32", "data": ROWS}]}


@pytest.fixture
def settings(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """Short bodies; few calls a minute, and no documents for anyone, where the test is marked so."""
    changes: dict[str, Any] = {"grpc": GrpcSettings(port=0), "limits": LimitsSettings(body_bytes=BODY)}
    if request.node.get_closest_marker("strict"):
        changes |= {"rates": RatesSettings(anonymous=3, predict=8), "public": PublicSettings(docs=False)}
    return make_settings(tmp_path / "data", database_url, **changes)


@pytest.fixture
async def anyone(app: FastAPI) -> AsyncIterator[Grpc]:
    async with connected(app) as client:
        yield client


@pytest.fixture
def ours(anyone: Grpc, owner: Caller) -> Grpc:
    return anyone.as_(owner.key)


async def test_the_server_describes_itself_to_anyone(anyone: Grpc) -> None:
    assert (await anyone.call("ServerLive", pb.ServerLiveRequest())).live is True
    assert (await anyone.call("ServerReady", pb.ServerReadyRequest())).ready is True
    described = await anyone.call("ServerMetadata", pb.ServerMetadataRequest())
    assert (described.name, described.version) == ("argosy", __version__)
    assert described.extensions == ["model_stream_infer"]


async def test_a_server_without_its_database_is_alive_but_not_ready(app: FastAPI, anyone: Grpc) -> None:
    class Away:
        async def ping(self) -> None:
            raise OSError

    app.state.grpc._service._database = Away()
    assert (await anyone.call("ServerLive", pb.ServerLiveRequest())).live is True
    assert (await anyone.call("ServerReady", pb.ServerReadyRequest())).ready is False


async def test_a_model_is_described_and_ready(ours: Grpc, owner: Caller) -> None:
    await pushed(owner)
    for name in ("sizes", "owner/sizes"):
        for version in ("", "1", "live"):
            asked = {"name": name, "version": version}
            assert (await ours.call("ModelReady", pb.ModelReadyRequest(**asked))).ready is True
            shown = await ours.call("ModelMetadata", pb.ModelMetadataRequest(**asked))
            assert (shown.name, list(shown.versions), shown.platform) == (name, ["1"], "onnx_onnxv1")
            assert [(one.name, one.datatype, list(one.shape)) for one in shown.inputs] == [("X", "FP32", [-1, 2])]
            assert [(one.name, one.datatype, list(one.shape)) for one in shown.outputs] == [
                ("label", "BYTES", [-1]),
                ("probabilities", "FP32", [-1, 2]),
            ]


async def test_a_model_that_cannot_serve_is_not_ready_and_one_that_is_not_there_is_an_error(
    ours: Grpc, owner: Caller
) -> None:
    await owner.post("/models", json={"name": "sizes"})
    assert (await ours.call("ModelReady", pb.ModelReadyRequest(name="sizes"))).ready is False
    error = await ours.refused("ModelInfer", raw_request())
    assert error.code() is StatusCode.FAILED_PRECONDITION
    for name, version in (("nothing", ""), ("sizes", "7"), ("sizes", "none"), ("nobody/sizes", "")):
        for call, kind in (("ModelReady", pb.ModelReadyRequest), ("ModelMetadata", pb.ModelMetadataRequest)):
            assert (await ours.refused(call, kind(name=name, version=version))).code() is StatusCode.NOT_FOUND


async def test_bytes_are_answered_with_bytes_and_contents_with_contents(ours: Grpc, owner: Caller) -> None:
    await pushed(owner)
    rest = await owner.http.post("/v2/models/sizes/infer", json=REST, headers={"X-API-Key": owner.key})
    expected = {one["name"]: one["data"] for one in rest.json()["outputs"]}
    raw = await ours.call("ModelInfer", raw_request(id="mine"))
    assert (raw.model_name, raw.model_version, raw.id) == ("sizes", "1", "mine")
    assert not any(output.HasField("contents") for output in raw.outputs)
    found = {
        output.name: from_bytes(content, output.datatype, output.shape, []).reshape(-1).tolist()
        for output, content in zip(raw.outputs, raw.raw_output_contents, strict=True)
    }
    assert found == expected
    typed = await ours.call("ModelInfer", typed_request("owner/sizes", model_version="1"))
    assert (typed.model_name, typed.id, len(typed.raw_output_contents)) == ("owner/sizes", "", 0)
    label, probabilities = typed.outputs
    assert [one.decode() for one in label.contents.bytes_contents] == expected["label"]
    assert list(probabilities.contents.fp32_contents) == expected["probabilities"]
    assert list(probabilities.shape) == [2, 2]
    wanted = [pb.ModelInferRequest.InferRequestedOutputTensor(name="label")]
    assert [one.name for one in (await ours.call("ModelInfer", raw_request(outputs=wanted))).outputs] == ["label"]


def changed(request: pb.ModelInferRequest, **changes: Any) -> pb.ModelInferRequest:
    """The request with another first tensor."""
    for name, value in changes.items():
        if name == "shape":
            del request.inputs[0].shape[:]
            request.inputs[0].shape.extend(value)
        else:
            setattr(request.inputs[0], name, value)
    return request


def with_contents(datatype: str, **contents: Any) -> pb.ModelInferRequest:
    given = pb.InferTensorContents(**contents)
    tensor = Tensor(name="X", datatype=datatype, shape=[2, 2], contents=given)
    return pb.ModelInferRequest(model_name="sizes", inputs=[tensor])


def both_ways() -> pb.ModelInferRequest:
    request = raw_request()
    request.inputs[0].contents.CopyFrom(typed_request().inputs[0].contents)
    return request


INVALID: dict[str, pb.ModelInferRequest | bytes] = {
    "no message": b"\xff\xff",
    "not UTF-8": b"\n\x02\xff\xfe",
    "no inputs": pb.ModelInferRequest(model_name="sizes"),
    "no model": raw_request(""),
    "a model of three parts": raw_request("a/b/c"),
    "a model with NUL": raw_request("a\0"),
    "a model too long": raw_request("a" * 64),
    "a version with NUL": raw_request(model_version="\0"),
    "a version too long": raw_request(model_version="9" * 64),
    "an unknown tensor": changed(raw_request(), name="Y"),
    "no name": changed(raw_request(), name=""),
    "an unknown datatype": changed(raw_request(), datatype="FP128"),
    "a negative size": changed(raw_request(), shape=[-1, 2]),
    "a huge shape": changed(raw_request(), shape=[2**39, 2**39]),
    "a huge shape of nothing": changed(raw_request(), shape=[2**39, 2**39, 0]),
    "too many dimensions": changed(raw_request(), shape=[1] * 40),
    "another width": changed(raw_request(), shape=[4, 1]),
    "no rows": pb.ModelInferRequest(
        model_name="sizes", inputs=[Tensor(name="X", datatype="FP32", shape=[0, 2])], raw_input_contents=[b""]
    ),
    "too few bytes": changed(raw_request(), shape=[3, 2]),
    "bytes for another number of inputs": pb.ModelInferRequest(
        model_name="sizes", inputs=[*raw_request().inputs] * 2, raw_input_contents=[b"\0" * 16]
    ),
    "a tensor twice": pb.ModelInferRequest(
        model_name="sizes", inputs=[*raw_request().inputs] * 2, raw_input_contents=[b"\0" * 16] * 2
    ),
    "bytes and contents": both_ways(),
    "neither bytes nor contents": pb.ModelInferRequest(model_name="sizes", inputs=raw_request().inputs),
    "contents of another type": with_contents("FP32", fp64_contents=[1, 2, 3, 4]),
    "contents of two types": with_contents("FP32", fp32_contents=[1, 2, 3, 4], int_contents=[1]),
    "contents of FP16": with_contents("FP16", fp32_contents=[1, 2, 3, 4]),
    "too few contents": with_contents("FP32", fp32_contents=[1, 2, 3]),
    "contents beyond INT8": with_contents("INT8", int_contents=[1, 2, 3, 300]),
    "contents beyond UINT16": with_contents("UINT16", uint_contents=[1, 2, 3, 2**20]),
    "contents no text": with_contents("BYTES", bytes_contents=[b"\xff"] * 4),
    "text for numbers": with_contents("BYTES", bytes_contents=[b"1"] * 4),
    "NaN": raw_request(rows=[[float("nan"), 1]]),
    "infinity": typed_request(rows=[[float("inf"), 1]]),
    "text that ends early": changed(
        pb.ModelInferRequest(
            model_name="sizes", inputs=raw_request().inputs, raw_input_contents=[struct.pack("<I4s", 100, b"abcd")]
        ),
        datatype="BYTES",
    ),
    "too many rows": raw_request(rows=[[1, 2]] * 10_001),
    "an unknown output": raw_request(outputs=[pb.ModelInferRequest.InferRequestedOutputTensor(name="nothing")]),
    "an id too long": raw_request(id="x" * 257),
    "an id with a line break": raw_request(id="a\nb"),
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_is_refused_is_named(ours: Grpc, owner: Caller) -> None:
    await pushed(owner)
    for what, request in INVALID.items():
        error = await ours.refused("ModelInfer", request)
        assert error.code() is StatusCode.INVALID_ARGUMENT, (what, error)
        assert error.details(), what
        assert dict(error.trailing_metadata() or ())["problem-type"].startswith("urn:argosy:problem:"), what
    for call in SERVICE.methods_by_name:
        if call != "ModelStreamInfer":
            assert (await ours.refused(call, b"\xff\xff")).code() is StatusCode.INVALID_ARGUMENT, call


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_request_beyond_the_limit_of_a_body_is_refused(ours: Grpc, owner: Caller) -> None:
    await pushed(owner)
    assert (await ours.call("ModelInfer", raw_request(rows=[[1, 2]] * (BODY // 8 - 3000)))).outputs
    error = await ours.refused("ModelInfer", raw_request(rows=[[1, 2]] * (BODY // 8)))
    assert error.code() is StatusCode.RESOURCE_EXHAUSTED
    call = ours.stream()
    await call.write(raw_request(rows=[[1, 2]] * (BODY // 8)).SerializeToString())
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call.read()
    assert refused.value.code() is StatusCode.RESOURCE_EXHAUSTED


async def test_only_those_who_may_predict_do(app: FastAPI, anyone: Grpc, owner: Caller, stranger: Caller) -> None:
    await pushed(owner)
    made = {}
    for scope in ("models:read", "predict"):
        body = {"name": scope, "scopes": [scope]}
        made[scope] = (await owner.post("/organizations/owner/api-keys", json=body)).json()["key"]
    request = raw_request("owner/sizes")
    cases = {
        "nobody": (anyone, StatusCode.UNAUTHENTICATED),
        "a wrong key": (anyone.as_("ak_nonsense"), StatusCode.UNAUTHENTICATED),
        "another scheme": (anyone.as_(None, authorization="Digest x"), StatusCode.UNAUTHENTICATED),
        "a key that may not": (anyone.as_(made["models:read"]), StatusCode.PERMISSION_DENIED),
        "a stranger's key": (anyone.as_(stranger.key), StatusCode.NOT_FOUND),
        "a stranger's token": (anyone.as_(stranger.token), StatusCode.NOT_FOUND),
        "for another organization": (anyone.as_(owner.key, x_organization="stranger"), StatusCode.NOT_FOUND),
    }
    for who, (client, code) in cases.items():
        infer = await client.refused("ModelInfer", request)
        assert infer.code() is code, (who, infer)
        assert (await client.refused("ModelReady", pb.ModelReadyRequest(name="owner/sizes"))).code() is code, who
        shown = await client.refused("ModelMetadata", pb.ModelMetadataRequest(name="owner/sizes"))
        assert shown.code() is code, who
    missing = await anyone.as_(stranger.key).refused("ModelInfer", raw_request("owner/none"))
    hidden = await anyone.as_(stranger.key).refused("ModelInfer", request)
    assert (missing.code(), missing.details()) == (hidden.code(), hidden.details())
    for client in (
        anyone.as_(made["predict"]),
        anyone.as_(None, x_api_key=owner.key),
        anyone.as_(owner.token),
        anyone.as_(owner.token, x_organization="owner"),
    ):
        assert (await client.call("ModelInfer", request)).outputs
    await owner.delete(f"/organizations/owner/api-keys/{owner.key_id}")
    assert (await anyone.as_(owner.key).refused("ModelInfer", request)).code() is StatusCode.UNAUTHENTICATED


async def test_addresses_are_believed_as_over_http() -> None:
    said = {"x-forwarded-for": "203.0.113.7, 10.0.0.9"}
    behind, plain = Addresses(["10.0.0.0/8"]), Addresses([])
    for peer, metadata, addresses, expected in (
        ("ipv4:10.0.0.1:5000", said, behind, "203.0.113.7"),
        ("ipv4:10.0.0.1:5000", said, plain, "10.0.0.1"),
        ("ipv4:192.0.2.1:5000", said, behind, "192.0.2.1"),
        ("ipv6:%5B2001:db8::1%5D:5000", said, behind, "2001:db8::1"),
        ("unix:", {}, behind, ""),
    ):
        assert await addresses.of(peer, metadata) == expected, (peer, expected)


async def test_a_key_of_another_network_is_refused(anyone: Grpc, owner: Caller) -> None:
    await pushed(owner)
    for network, held in (("127.0.0.0/8", True), ("192.0.2.0/24", False)):
        body = {"name": network[:3], "scopes": ["predict"], "networks": [network]}
        made = await owner.post("/organizations/owner/api-keys", json=body)
        client = anyone.as_(made.json()["key"])
        if held:
            assert (await client.call("ModelInfer", raw_request())).outputs
        else:
            assert (await client.refused("ModelInfer", raw_request())).code() is StatusCode.UNAUTHENTICATED


async def test_calls_are_metered_as_over_http(ours: Grpc, owner: Caller) -> None:
    await pushed(owner)
    await ours.call("ModelInfer", raw_request())
    await ours.call("ModelInfer", typed_request())
    await ours.refused("ModelInfer", changed(raw_request(), name="Y"))
    await asyncio.sleep(0.3)
    usage = (await owner.get("/usage")).json()
    assert (usage["calls"], usage["rows"]) == (2, 4)


@pytest.mark.strict
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_calls_are_counted_with_those_over_http(anyone: Grpc, owner: Caller) -> None:
    await pushed(owner)
    ours = anyone.as_(owner.key)
    for left in range(7, 3, -1):
        call = ours.call("ModelInfer", raw_request())
        await call
        assert dict(await call.trailing_metadata())["ratelimit-remaining"] == str(left)
    for _ in range(4):
        # With a header that the fast path does not know: it takes shares of the limit in advance.
        headers = {"X-API-Key": owner.key, "Referer": "http://argosy.test"}
        typed = await owner.http.post("/v2/models/sizes/infer", json=REST, headers=headers)
        assert typed.status_code == 200
    error = await ours.refused("ModelInfer", raw_request())
    assert error.code() is StatusCode.RESOURCE_EXHAUSTED
    assert int(str(dict(error.trailing_metadata() or ())["retry-after"])) > 0
    for _ in range(3):
        wrong = await anyone.as_("ak_nonsense").refused("ModelInfer", raw_request())
        assert wrong.code() is StatusCode.UNAUTHENTICATED
    wrong = await anyone.as_("ak_nonsense").refused("ModelInfer", raw_request())
    assert wrong.code() is StatusCode.RESOURCE_EXHAUSTED
    for _ in range(3):
        await anyone.call("ServerLive", pb.ServerLiveRequest())
    assert (await anyone.refused("ServerLive", pb.ServerLiveRequest())).code() is StatusCode.RESOURCE_EXHAUSTED


async def test_a_call_is_known_by_its_id_and_counted(app: FastAPI, anyone: Grpc) -> None:
    call = anyone.as_(None, x_request_id="mine-1").call("ServerLive", pb.ServerLiveRequest())
    await call
    assert dict(await call.trailing_metadata())["x-request-id"] == "mine-1"
    await asyncio.sleep(0.05)
    labels = ("GRPC", "/inference.GRPCInferenceService/ServerLive", "OK")
    assert sum(app.state.metrics.requests.series(*labels).buckets) == 1


async def test_health_and_reflection_are_the_standard_ones(anyone: Grpc) -> None:
    health: Any = health_pb2_grpc.HealthStub(anyone.channel)
    for service in ("", SERVICE.full_name):
        checked = await health.Check(health_pb2.HealthCheckRequest(service=service))
        assert checked.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await health.Check(health_pb2.HealthCheckRequest(service="nothing"))
    assert unknown.value.code() is StatusCode.NOT_FOUND
    reflection: Any = reflection_pb2_grpc.ServerReflectionStub(anyone.channel)  # type: ignore[arg-type]
    request = reflection_pb2.ServerReflectionRequest
    asked = [request(list_services=""), request(file_containing_symbol=SERVICE.full_name),
             request(file_containing_symbol="grpc.health.v1.Health")]  # fmt: skip
    listed, file, healths = [answer async for answer in reflection.ServerReflectionInfo(iter(asked))]
    names = {one.name for one in listed.list_services_response.service}
    assert names == {SERVICE.full_name, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    assert file.file_descriptor_response.file_descriptor_proto == [pb.DESCRIPTOR.serialized_pb]
    assert healths.file_descriptor_response.file_descriptor_proto


@pytest.mark.strict
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_reflection_is_off_where_documents_are_not_for_everyone(anyone: Grpc) -> None:
    ask: Any = anyone.channel.unary_unary("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    with pytest.raises(grpc.aio.AioRpcError) as off:
        await ask(b"")
    assert off.value.code() is StatusCode.UNIMPLEMENTED
    health: Any = health_pb2_grpc.HealthStub(anyone.channel)
    for _ in range(5):  # more than strangers may ask of the rest
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize(
    "method", ["grpc.health.v1.Health/Check", "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"]
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_bytes_that_are_no_message_are_the_clients_error_everywhere(anyone: Grpc, method: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        ask: Any = anyone.channel.unary_unary(f"/{method}")
        await ask(b"\xff\xff")
    assert refused.value.code() is StatusCode.INVALID_ARGUMENT


async def test_a_model_of_two_inputs_takes_both(ours: Grpc, owner: Caller) -> None:
    await owner.post("/models", json={"name": "sums"})
    sample = {"inputs": {"a": [1.0, 2.0], "b": [0.5, 0.5]}, "outputs": {"total": [1.5, 2.5]}}
    await upload(owner, "sums", sums(), sample)
    for _ in range(200):
        if (await ours.call("ModelReady", pb.ModelReadyRequest(name="sums"))).ready:
            break
        await asyncio.sleep(0.05)
    inputs = [
        Tensor(name=name, datatype="FP64", shape=[2, 1], contents=pb.InferTensorContents(fp64_contents=data))
        for name, data in (("b", [1, 3]), ("a", [1e300, 2]))
    ]
    answer = await ours.call("ModelInfer", pb.ModelInferRequest(model_name="sums", inputs=inputs))
    assert list(answer.outputs[0].contents.fp64_contents) == [1e300, 5.0]
