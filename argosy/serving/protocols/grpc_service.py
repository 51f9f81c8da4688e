"""The Open Inference Protocol's service over gRPC: each method reads its request, asks, and answers.

A model's name is `model`, of the caller's organization, or `organization/model`; its version a number, or an alias.
"""

import asyncio
import re
from collections.abc import Callable

from argosy.kit.db.session import Database
from argosy.kit.errors import invalid
from argosy.kit.principal import Principal
from argosy.registry.errors import VersionNotReady
from argosy.serving.errors import ModelNotLoadable, NoLiveVersion
from argosy.serving.protocols.grpc_calls import Call
from argosy.serving.protocols.grpc_codec import decode, encode
from argosy.serving.protocols.oip_plane import OipPlane, Server
from argosy.serving.protocols.proto import inference_pb2 as pb
from argosy.serving.protocols.refusals import refusals
from argosy.serving.target import Target

SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name
EXTENSIONS = ["model_stream_infer"]
_NAME = re.compile(r"(?:(?P<org>[^/\0]{1,63})/)?(?P<name>[^/\0]{1,63})")
_VERSION = re.compile(r"[^\0]{0,63}")


def split_name(name: str, field: str) -> tuple[str | None, str]:
    """Return the organization, None for the caller's, and the model that a name means; raises `Invalid`."""
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise invalid([field], "Input should be `model` or `organization/model`", "string_pattern_mismatch")
    return parts["org"], parts["name"]


class InferenceService:
    """Answers the calls that have one request."""

    def __init__(self, plane: OipPlane, database: Database, is_stopping: Callable[[], bool]) -> None:
        self._plane = plane
        self._database = database
        self._is_stopping = is_stopping

    async def server_live(self, call: Call) -> bytes:
        """Tell that the server is alive."""
        await call.read(pb.ServerLiveRequest)
        return pb.ServerLiveResponse(live=True).SerializeToString()

    async def server_ready(self, call: Call) -> bytes:
        """Tell whether the server takes inferences."""
        await call.read(pb.ServerReadyRequest)
        ready = not self._is_stopping()
        try:
            await self._database.ping()
        except Exception:  # noqa: BLE001 - whatever it is, the server is not ready
            ready = False
        return pb.ServerReadyResponse(ready=ready).SerializeToString()

    async def server_metadata(self, call: Call) -> bytes:
        """Show what serves."""
        await call.read(pb.ServerMetadataRequest)
        return pb.ServerMetadataResponse(**Server(extensions=EXTENSIONS).model_dump()).SerializeToString()

    async def model_ready(self, call: Call) -> bytes:
        """Tell whether a model can run, loaded if it was not; one that does not exist is an error."""
        asked = await call.read(pb.ModelReadyRequest)
        ready = True
        try:
            _, target = await self._enter(call, "name", asked.name, asked.version)
            await self._plane.load(target)
        except (NoLiveVersion, VersionNotReady, ModelNotLoadable):
            ready = False
        return pb.ModelReadyResponse(ready=ready).SerializeToString()

    async def model_metadata(self, call: Call) -> bytes:
        """Show a model's tensors."""
        asked = await call.read(pb.ModelMetadataRequest)
        _, target = await self._enter(call, "name", asked.name, asked.version)
        shown = await self._plane.describe(target, asked.name)
        return pb.ModelMetadataResponse(**shown.model_dump()).SerializeToString()

    async def model_infer(self, call: Call) -> bytes:
        """Run a model."""
        asked = await call.read(pb.ModelInferRequest)
        org, _ = split_name(asked.model_name, "model_name")
        return (await self.answer(await call.visit.enter(org), asked)).SerializeToString()

    async def answer(self, principal: Principal, asked: pb.ModelInferRequest) -> pb.ModelInferResponse:
        """Run a model for a caller who was let in."""
        target = await self._find(principal, "model_name", asked.model_name, asked.model_version)
        with self._plane.counted(principal, target), refusals():
            read = decode(asked)
            outputs = await self._plane.infer(principal, target, read.inputs, read.outputs)
        return encode(asked.model_name, str(target.number), read, outputs)

    async def _enter(self, call: Call, field: str, name: str, version: str) -> tuple[Principal, Target]:
        org, _ = split_name(name, field)
        principal = await call.visit.enter(org)
        return principal, await self._find(principal, field, name, version)

    async def _find(self, principal: Principal, field: str, name: str, version: str) -> Target:
        org, model = split_name(name, field)
        if not _VERSION.fullmatch(version):
            raise invalid([field.replace("name", "version")], "Input should be a number or an alias", "string_too_long")
        return await asyncio.shield(self._plane.find(principal, org, model, version or None))
