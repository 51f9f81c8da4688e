"""Calls over gRPC, by the service's own descriptor."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
from fastapi import FastAPI
from google.protobuf.message import Message

from argosy.serving.protocols.proto import inference_pb2 as pb

SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]
ROWS = [[3.0, 4.0], [0.1, 0.2]]


@dataclass
class Grpc:
    """A client of one server, with the metadata of one caller."""

    channel: grpc.aio.Channel
    metadata: Sequence[tuple[str, str]] = ()

    def as_(self, key: str | None, **more: str) -> "Grpc":
        held = [("authorization", f"Bearer {key}")] if key else []
        return Grpc(self.channel, [*held, *((name.replace("_", "-"), value) for name, value in more.items())])

    def call(self, name: str, request: Message | bytes, timeout: float = 20) -> Any:
        method = SERVICE.methods_by_name[name]
        sent = request if isinstance(request, bytes) else request.SerializeToString()
        answer = getattr(pb, method.output_type.name)
        ask: Any = self.channel.unary_unary(f"/{SERVICE.full_name}/{name}", response_deserializer=answer.FromString)
        return ask(sent, metadata=self.metadata, timeout=timeout)

    def stream(self, timeout: float = 20) -> Any:
        ask: Any = self.channel.stream_stream(
            f"/{SERVICE.full_name}/ModelStreamInfer", response_deserializer=pb.ModelStreamInferResponse.FromString
        )
        return ask(metadata=self.metadata, timeout=timeout)

    async def refused(self, name: str, request: Message | bytes) -> grpc.aio.AioRpcError:
        try:
            answer = await self.call(name, request)
        except grpc.aio.AioRpcError as error:
            return error
        raise AssertionError(f"{name} answered {answer}")


@asynccontextmanager
async def connected(app: FastAPI) -> AsyncIterator[Grpc]:
    address = app.state.grpc.address.removeprefix("grpc://")
    async with grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield Grpc(channel)


def raw_request(model: str = "sizes", rows: Any = ROWS, **more: Any) -> pb.ModelInferRequest:
    """Two numbers a row, as bytes."""
    array = np.array(rows, "<f4")
    tensor = pb.ModelInferRequest.InferInputTensor(name="X", datatype="FP32", shape=array.shape)
    return pb.ModelInferRequest(model_name=model, inputs=[tensor], raw_input_contents=[array.tobytes()], **more)


def typed_request(model: str = "sizes", rows: Any = ROWS, **more: Any) -> pb.ModelInferRequest:
    """Two numbers a row, as contents."""
    contents = pb.InferTensorContents(fp32_contents=np.array(rows).reshape(-1).tolist())
    tensor = pb.ModelInferRequest.InferInputTensor(name="X", datatype="FP32", shape=[len(rows), 2], contents=contents)
    return pb.ModelInferRequest(model_name=model, inputs=[tensor], **more)
