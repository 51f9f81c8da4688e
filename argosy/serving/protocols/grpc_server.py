"""The gRPC server on its own port: started and drained with the application."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc

from argosy.kit.db.session import Database
from argosy.serving.protocols.grpc_calls import Call, Context, Surroundings, Work
from argosy.serving.protocols.grpc_service import SERVICE, InferenceService
from argosy.serving.protocols.grpc_standard import HEALTH, REFLECTION, Health, Reflection
from argosy.serving.protocols.grpc_stream import InferenceStream
from argosy.serving.protocols.oip_plane import OipPlane
from argosy.settings import NetworkSettings, Settings

DRAIN_SECONDS = 25
MOST_CALLS = 1000
MOST_CALLS_OF_A_CONNECTION = 100
# A peer that is gone without a word is noticed after a minute and a half, and what it waited for is dropped.
KEEPALIVE = {"grpc.keepalive_time_ms": 60_000, "grpc.keepalive_timeout_ms": 20_000}


class PortNotFree(RuntimeError):
    """The port for gRPC cannot be listened on."""


class GrpcServer:
    """Serves the Open Inference Protocol over gRPC, the standard health service, and reflection."""

    def __init__(
        self,
        settings: Settings,
        around: Surroundings,
        plane: OipPlane,
        database: Database,
        stamp: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._around = around
        self._stopping = asyncio.Event()
        self._service = InferenceService(plane, database, self._stopping.is_set)
        self._stamp = stamp
        self._server: grpc.aio.Server | None = None
        self._stopped: asyncio.Task[None] | None = None
        self.address = ""

    async def start(self) -> None:
        """Listen; raises `PortNotFree`."""
        settings, network = self._settings, self._settings.network
        options = {
            "grpc.max_receive_message_length": settings.limits.body_bytes,
            "grpc.max_send_message_length": -1,
            "grpc.max_concurrent_streams": MOST_CALLS_OF_A_CONNECTION,
            "grpc.server_handshake_timeout_ms": int(network.head_timeout * 1000),
            **KEEPALIVE,
        }
        server = grpc.aio.server(options=list(options.items()), maximum_concurrent_rpcs=MOST_CALLS)
        server.add_generic_rpc_handlers(tuple(self._services()))
        self.address = listen(server, settings)
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Take no more calls, and return when those under way are answered; again, it waits for the same."""
        if self._server is None:
            return
        if self._stopped is None:
            self._stopped = asyncio.create_task(self._drain(self._server))
        await asyncio.shield(self._stopped)

    async def _drain(self, server: grpc.aio.Server) -> None:
        self._stopping.set()
        await server.stop(DRAIN_SECONDS)

    def _services(self) -> Iterator[grpc.GenericRpcHandler]:
        service, names = self._service, [SERVICE, HEALTH]
        works: dict[str, Work] = {
            "ServerLive": service.server_live,
            "ServerReady": service.server_ready,
            "ServerMetadata": service.server_metadata,
            "ModelReady": service.model_ready,
            "ModelMetadata": service.model_metadata,
            "ModelInfer": service.model_infer,
        }
        yield self._handlers(SERVICE, works, {"ModelStreamInfer": self._stream})
        if self._settings.public.docs:
            names.append(REFLECTION)
            yield self._handlers(REFLECTION, {}, {"ServerReflectionInfo": Reflection(names).answer})
        health = Health(names, self._stopping)
        yield self._handlers(HEALTH, {"Check": health.check}, {"Watch": health.watch}, counted=False)

    def _handlers(
        self, service: str, works: Mapping[str, Work], streams: Mapping[str, Work], *, counted: bool = True
    ) -> grpc.GenericRpcHandler:
        # All requests are read like streams, so that reading is ours to bound; on the wire it is the same.
        handlers: dict[str, grpc.RpcMethodHandler[object, bytes]] = {}
        for name, work in works.items():
            handlers[name] = grpc.stream_unary_rpc_method_handler(self._around_of(service, name, work, counted))
        for name, work in streams.items():
            handlers[name] = grpc.stream_stream_rpc_method_handler(self._around_of(service, name, work, counted))
        return grpc.method_handlers_generic_handler(service, handlers)

    def _around_of(self, service: str, name: str, work: Work, counted: bool) -> Any:  # noqa: ANN401
        async def handle(_requests: object, context: Context) -> bytes | None:
            return await Call(self._around, f"/{service}/{name}", context).run(work, counted=counted)

        return handle

    async def _stream(self, call: Call) -> None:
        await InferenceStream(call, self._service, self._stamp, self._stopping).run()


def listen(server: grpc.aio.Server, settings: Settings) -> str:
    """Take the port; return the address as a URL. Raises `PortNotFree`."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    credentials = tls_credentials(settings.network)
    try:
        if credentials is None:
            port = server.add_insecure_port(f"{host}:{settings.grpc.port}")
        else:
            port = server.add_secure_port(f"{host}:{settings.grpc.port}", credentials)
    except RuntimeError as error:
        raise PortNotFree(f"gRPC cannot listen on {host}:{settings.grpc.port}") from error
    return f"{'grpc' if credentials is None else 'grpcs'}://{host}:{port}"


def tls_credentials(network: NetworkSettings) -> grpc.ServerCredentials | None:
    """Return the server's side of TLS with the files that HTTPS has, or None where it is off."""
    if network.tls_certificate is None or network.tls_key is None:
        return None
    authorities = network.tls_client_ca.read_bytes() if network.tls_client_ca else None
    pair = (network.tls_key.read_bytes(), network.tls_certificate.read_bytes())
    return grpc.ssl_server_credentials([pair], authorities, require_client_auth=authorities is not None)
