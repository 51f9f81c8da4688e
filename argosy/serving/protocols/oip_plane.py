"""The Open Inference Protocol's calls, whatever carries them: REST and gRPC decode, ask this, and encode."""

import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from argosy import __version__
from argosy.kit.errors import invalid
from argosy.kit.principal import Principal
from argosy.kit.schemas import Schema
from argosy.serving.protocols.oip_form import InferForm
from argosy.serving.protocols.oip_tensors import DATATYPES, Array
from argosy.serving.protocols.refusals import counted, refusals
from argosy.serving.runtime import Outputs
from argosy.serving.service import ServingService
from argosy.serving.target import Target
from argosy.signature.spec import Output, Signature
from argosy.signature.tensors import Batch

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


class Server(Schema):
    """What serves."""

    name: str = "argosy"
    version: str = __version__
    extensions: list[str]


class TensorMetadata(Schema):
    """A tensor of a model; -1 is a free dimension."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(Schema):
    """A model as the protocol shows it."""

    name: str
    versions: list[str]
    platform: str = "onnx_onnxv1"
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


@dataclass(frozen=True, slots=True)
class Found:
    """An output of a run."""

    name: str
    datatype: str
    array: Array


class OipPlane:
    """Finds, describes and runs models as the protocol has it."""

    def __init__(self, serving: ServingService, max_rows: int) -> None:
        self._serving = serving
        self._max_rows = max_rows

    async def find(
        self, principal: Principal, org: str | None, name: str, version: str | None, session_id: str | None = None
    ) -> Target:
        """Return what a model's name and version mean to a caller; raises what `ServingService.resolve` raises.

        The version is a number, or else an alias; the live version without one.
        """
        number = int(version) if version is not None and _NUMBER.fullmatch(version) else None
        alias = version if number is None else None
        owner = org or principal.organization_slug
        return await self._serving.resolve(principal, owner, name, number, alias, session_id)

    async def load(self, target: Target) -> None:
        """Load a version if it is not; raises `ModelNotLoadable`."""
        await self._serving.lane(target)

    async def describe(self, target: Target, name: str) -> ModelMetadata:
        """Return a version's tensors, under the name that it was asked for by."""
        signature = (await self._serving.signature(target)).signature
        return ModelMetadata(
            name=name,
            versions=[str(target.number)],
            inputs=[
                TensorMetadata(name=tensor.name, datatype=DATATYPES[tensor.dtype], shape=_free(tensor.shape))
                for tensor in signature.tensors
            ],
            outputs=[
                TensorMetadata(name=one.name, datatype=DATATYPES[one.dtype], shape=_output_shape(signature, one))
                for one in signature.outputs
            ],
        )

    async def form(self, target: Target, shown: str) -> InferForm:
        """Return what reads REST's requests for a version, asked for by a name, and writes the answers."""
        return InferForm(await self._serving.signature(target), shown, target.number)

    def counted(self, principal: Principal, target: Target) -> AbstractContextManager[None]:
        """Meter a call that ends in an error."""
        return counted(self._serving, principal, target)

    async def run(self, principal: Principal, target: Target, batch: Batch, within: int | None) -> Outputs:
        """Run a version on a batch that was checked; raises what `ServingService.infer` raises."""
        return await self._serving.infer(principal, target, batch, within=within)

    async def infer(
        self, principal: Principal, target: Target, inputs: Mapping[str, Array], wanted: Iterable[str] | None
    ) -> list[Found]:
        """Run a version; return the outputs that are wanted, all when None.

        Raises `Invalid` or `ContentTooLarge` for inputs that do not fit, and what `ServingService.infer` raises.
        """
        compiled = await self._serving.signature(target)
        outputs = _wanted(compiled.signature, wanted)
        with refusals():
            batch = compiled.check_tensors(dict(inputs), max_rows=self._max_rows)
        values = await self._serving.infer(principal, target, batch)
        return [Found(one.name, DATATYPES[one.dtype], values[one.tensor]) for one in outputs]


def _wanted(signature: Signature, names: Iterable[str] | None) -> list[Output]:
    known = {output.name: output for output in signature.outputs}
    if names is None:
        return list(signature.outputs)
    outputs = []
    for index, name in enumerate(names):
        if name not in known:
            raise invalid(["outputs", index, "name"], "The model has no such output")
        outputs.append(known[name])
    return outputs


def _free(shape: list[int | None]) -> list[int]:
    return [-1 if size is None else size for size in shape]


def _output_shape(signature: Signature, output: Output) -> list[int]:
    return [-1, *_free(output.shape)] if signature.batched else _free(output.shape)
