"""A model as what explanations ask: numbers for rows that were put together feature by feature."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from argosy.jobs.errors import JobFailed
from argosy.serving.errors import ModelCrashed
from argosy.serving.runtime import Outputs, RunFailed, Runtime, Tensors
from argosy.signature.compiled import CompiledSignature
from argosy.signature.predictions import class_name
from argosy.signature.spec import Output, Role
from argosy.signature.tensors import Batch, layout

PIECE_ROWS = 256
PIECE_ELEMENTS = 1_000_000
BINARY = 2
Matrix = NDArray[np.float64]


@dataclass(slots=True)
class Watch:
    """How far the thread that computes is, and what stops it."""

    rows: int = 0
    total: int = 0
    began: float = field(default_factory=time.monotonic)
    cancel: ort.RunOptions = field(default_factory=ort.RunOptions)

    def stop(self) -> None:
        """Stop the run that is going on, and begin no other."""
        self.cancel.terminate = True

    def tick(self, rows: int) -> None:
        """Note that rows were run; raises `InterruptedError` when it is over."""
        if self.cancel.terminate:
            raise InterruptedError
        self.rows += rows
        self.began = time.monotonic()


class Features:
    """Where each feature lies in the tensors, and rows mixed of two others."""

    def __init__(self, signature: CompiledSignature) -> None:
        self.names = [feature.name for feature in signature.signature.inputs]
        position = {name: index for index, name in enumerate(self.names)}
        self._layout = [
            (tensor.name, [position[feature.name] for feature in features], features[0].index is not None)
            for tensor, features in layout(signature.signature)
        ]

    def mix(self, chosen: NDArray[np.bool_], yes: Tensors, no: Tensors) -> Tensors:
        """Return rows with the features of `yes` where chosen (rows, features), and of `no` elsewhere."""
        mixed: dict[str, NDArray[np.generic]] = {}
        for name, columns, are_columns in self._layout:
            mask = chosen[:, columns]
            if not are_columns:
                mask = mask.reshape(len(mask), *[1] * (no[name].ndim - 1))
            mixed[name] = np.where(mask, yes[name], no[name])
        return mixed


def taken(batch: Tensors, rows: NDArray[np.intp]) -> Tensors:
    """Return some rows of tensors."""
    return {name: values[rows] for name, values in batch.items()}


class Subject:
    """Runs one model in small pieces; `names` are those of its numbers, once there are some.

    The numbers are its probabilities, else its scores, values or other numeric outputs; where it has labels only, one
    number for each label it gave first: whether the answer is that.
    """

    def __init__(self, runtime: Runtime, signature: CompiledSignature, watch: Watch) -> None:
        self._runtime = runtime
        self._signature = signature
        self._watch = watch
        self._explained = _explained(signature)
        self._labels: dict[str, NDArray[np.generic]] = {}
        self.names: list[str] = []

    def values(self, tensors: Tensors, rows: int) -> Matrix:
        """Return the numbers of rows, of shape (rows, numbers)."""
        parts = [[part[one.tensor] for one in self._explained] for part in self._outputs(tensors, rows)]
        columns, names = [], []
        for output, values in zip(self._explained, zip(*parts, strict=True), strict=True):
            found, named = self._matrix(output, np.concatenate(values))
            columns.append(found)
            names += named
        if self.names and self.names != names:
            raise JobFailed("the size of the model's outputs depends on its inputs")
        self.names = names
        return np.hstack(columns)

    def labels(self, tensors: Tensors, rows: int) -> list[str]:
        """Return the label of each row, as text."""
        found: list[str] = []
        for outputs in self._outputs(tensors, rows):
            count = len(next(iter(outputs.values())))
            for prediction in self._signature.encode(outputs, count):
                label = prediction.get("label")
                if label is None:
                    probabilities = prediction["probabilities"]
                    assert isinstance(probabilities, dict)  # noqa: S101 - what a classifier without a label answers
                    found.append(max(probabilities, key=lambda name: float(str(probabilities[name]))))
                else:
                    assert isinstance(label, bool | int | float | str)  # noqa: S101 - vectors of labels are refused
                    found.append(class_name(label))
        return found

    def _outputs(self, tensors: Tensors, rows: int) -> Iterator[Outputs]:
        elements = sum(values.size for values in tensors.values()) // rows
        # A model whose rows influence each other is run as it is for a prediction of one row.
        piece = max(1, min(PIECE_ROWS, PIECE_ELEMENTS // max(1, elements))) if self._runtime.traits.batches else 1
        for start in range(0, rows, piece):
            part = {name: values[start : start + piece] for name, values in tensors.items()}
            count = min(piece, rows - start)
            try:
                outputs = self._runtime.run(part, count, self._watch.cancel)
            except (RunFailed, ModelCrashed) as error:
                self._watch.tick(0)
                raise JobFailed(f"the model cannot run on rows mixed of those given: {error}") from error
            self._watch.tick(count)
            yield {name: np.asarray(values).reshape(count, -1) for name, values in outputs.items()}

    def _matrix(self, output: Output, values: NDArray[np.generic]) -> tuple[Matrix, list[str]]:
        if output.role is Role.LABEL:
            known = self._labels.setdefault(output.name, np.unique(values[:, 0]))
            return (values[:, :1] == known).astype(np.float64), [str(label) for label in known.tolist()]
        numbers = values.astype(np.float64)
        if output.role is Role.PROBABILITIES:
            names = [class_name(label) for label in self._signature.signature.classes or []]
            if numbers.shape[1] == 1 and len(names) == BINARY:
                numbers = np.hstack([1 - numbers, numbers])
            return numbers, names
        if numbers.shape[1] == 1:
            return numbers, [output.name]
        return numbers, [f"{output.name}[{index}]" for index in range(numbers.shape[1])]


def _explained(signature: CompiledSignature) -> Sequence[Output]:
    outputs = signature.signature.outputs
    for role in (Role.PROBABILITIES, Role.SCORE, Role.VALUE, Role.TENSOR, Role.LABEL):
        found = [one for one in outputs if one.role is role and (role is Role.LABEL or one.dtype.value != "string")]
        if found:
            return found
    raise JobFailed("the model has no output that could be explained")


def fits(one: Batch, other: Batch) -> bool:
    """Tell whether rows of two batches can be mixed: tensors of free sizes may differ."""
    return all(values.shape[1:] == other.tensors[name].shape[1:] for name, values in one.tensors.items())
