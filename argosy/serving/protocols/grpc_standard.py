"""gRPC's standard services: health (https://grpc.io/docs/guides/health-checking) and server reflection.

The packages bring the messages; their own servicers answer bytes that are no message with a server's error.
"""

import asyncio
from collections.abc import Iterable

from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import ReflectionServicer
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest

from argosy.kit.errors import NotFound
from argosy.serving.protocols.grpc_calls import Call
from argosy.serving.protocols.proto import inference_pb2

HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
REFLECTION = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"].full_name


class Health:
    """Tells that the server serves, until it stops; `ServerReady` asks the database too."""

    def __init__(self, services: Iterable[str], stopping: asyncio.Event) -> None:
        self._services = frozenset(services) | {""}
        self._stopping = stopping

    async def check(self, call: Call) -> bytes:
        """Tell how a service is."""
        asked = await call.read(HealthCheckRequest)
        if asked.service not in self._services:
            raise NotFound("no such service")
        return self._status(asked.service)

    async def watch(self, call: Call) -> None:
        """Tell how a service is, and again when the server stops."""
        asked = await call.read(HealthCheckRequest)
        if not self._stopping.is_set():
            await call.about.write(self._status(asked.service))
        await self._stopping.wait()
        await call.about.write(self._status(asked.service))

    def _status(self, service: str) -> bytes:
        if service not in self._services:
            return HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN).SerializeToString()
        stopping = self._stopping.is_set()
        status = HealthCheckResponse.NOT_SERVING if stopping else HealthCheckResponse.SERVING
        return HealthCheckResponse(status=status).SerializeToString()


class Reflection:
    """Lets clients ask which services there are, and for their messages."""

    def __init__(self, services: Iterable[str]) -> None:
        pool = DescriptorPool()
        for file in (inference_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
            pool.AddSerializedFile(file.serialized_pb)  # type: ignore[no-untyped-call]
        self._servicer = ReflectionServicer(services, pool=pool)

    async def answer(self, call: Call) -> None:
        """Answer until the client has no more questions."""
        async for asked in call.requests(ServerReflectionRequest):
            for response in self._servicer.ServerReflectionInfo(iter([asked]), call.about):
                await call.about.write(response.SerializeToString())
