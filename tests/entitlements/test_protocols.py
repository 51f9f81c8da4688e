"""A quota over gRPC and a WebSocket: both let in who is entitled, count, refuse, and end with the entitlement."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from argosy.serving.protocols.proto import inference_pb2 as pb
from tests.support.grpc import SERVICE
from tests.support.quotas import Party, entitled
from tests.support.servers import ServerProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("protocols") / "data", ARGOSY_GRPC_PORT="0")
    running.start()
    yield running
    running.stop()


def infer(server: ServerProcess, customer: Party, model: str, version: str = "") -> dict[str, str]:
    """Call once; return the metadata that came at the end."""
    tensor = pb.ModelInferRequest.InferInputTensor(name="X", datatype="FP32", shape=[1, 2])
    tensor.contents.fp32_contents.extend([1.0, 2.0])
    asked = pb.ModelInferRequest(model_name=model, model_version=version, inputs=[tensor])
    with grpc.insecure_channel(server.grpc.partition("//")[2]) as channel:
        method: Any = channel.unary_unary(f"/{SERVICE.full_name}/ModelInfer")
        key = (("authorization", f"Bearer {customer.client._api_key}"),)
        _, call = method.with_call(asked.SerializeToString(), metadata=key, timeout=60)
        return dict(call.trailing_metadata())


def test_over_grpc(server: ServerProcess, tmp_path: Path) -> None:
    vendor, customer, _ = entitled(server, tmp_path, {"period": "year", "calls": 3})
    model = f"{vendor.client.organization}/sizes"
    for version, left in (("", 2), ("live", 1), ("", 0)):
        told = infer(server, customer, model, version)
        assert told["ratelimit"].startswith(f'"quota";r={left};t=')
    with pytest.raises(grpc.RpcError) as refused:
        infer(server, customer, model)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    ended: dict[str, Any] = {one.key: one.value for one in refused.value.trailing_metadata()}
    assert ended["problem-type"] == "urn:argosy:problem:quota-exceeded"
    assert int(ended["retry-after"]) > 1
    with pytest.raises(grpc.RpcError) as hidden:
        infer(server, customer, model, "1")
    assert hidden.value.code() is grpc.StatusCode.NOT_FOUND


def ask(socket: ClientConnection) -> dict[str, Any]:
    socket.send(json.dumps({"id": 1, "data": [[[1.0, 2.0]]]}))
    answer: dict[str, Any] = json.loads(socket.recv(timeout=60))
    return answer


def test_over_a_websocket(server: ServerProcess, tmp_path: Path) -> None:
    vendor, customer, entitlement = entitled(server, tmp_path, {"period": "year", "calls": 2})
    address = f"{server.url.replace('http', 'ws', 1)}/ws/models/{vendor.client.organization}/sizes"
    key = {"Authorization": f"Bearer {customer.client._api_key}"}
    with connect(address, additional_headers=key, proxy=None) as socket:
        assert ["result" in ask(socket) for _ in range(2)] == [True, True]
        refused = ask(socket)["error"]
        assert (refused["status"], refused["type"]) == (429, "urn:argosy:problem:quota-exceeded")
        assert refused["retry_after"] > 1
        plan = {"plan": {"period": "year", "calls": 3}}
        vendor.ask("PATCH", f"/entitlements/{entitlement['id']}", json=plan)
        assert "result" in ask(socket)
        vendor.ask("POST", f"/entitlements/{entitlement['id']}/revoke")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=4)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4404
