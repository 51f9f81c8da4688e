"""gRPC where the settings give it a port. Its packages are an extra, and are imported only then."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import State

from argosy.serving.protocols.oip_plane import OipPlane
from argosy.settings import Settings


class GrpcMissing(RuntimeError):
    """The packages for gRPC are not installed."""

    def __init__(self) -> None:
        super().__init__("gRPC needs the extra 'grpc': pip install 'argosy[grpc]', or leave ARGOSY_GRPC_PORT unset")


def require(settings: Settings) -> None:
    """Raise `GrpcMissing` when gRPC is wanted and cannot be had."""
    if settings.grpc.port is None:
        return
    try:
        import grpc_health.v1  # noqa: F401, PLC0415 - of an extra
        import grpc_reflection.v1alpha  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        raise GrpcMissing from error


@asynccontextmanager
async def serving(state: State) -> AsyncIterator[None]:
    """Serve gRPC beside the application, if it has a port; `state.grpc` is the server."""
    settings: Settings = state.settings
    state.grpc = None
    if settings.grpc.port is None:
        yield
        return
    # The process starts others, never itself again: gRPC's handlers of a fork would only hold that up.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    from argosy.serving.protocols.grpc_calls import Surroundings  # noqa: PLC0415
    from argosy.serving.protocols.grpc_server import GrpcServer  # noqa: PLC0415
    from argosy.serving.protocols.grpc_visit import Addresses  # noqa: PLC0415

    network = settings.network
    around = Surroundings(state.entrance, Addresses(network.proxies), state.metrics, state.denied, network.body_timeout)
    plane = OipPlane(state.serving, settings.limits.rows)
    state.grpc = server = GrpcServer(settings, around, plane, state.database, lambda: state.fast.freshness.stamp)
    await server.start()
    try:
        yield
    finally:
        await server.stop()
