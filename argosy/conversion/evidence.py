"""Evidence: what the original model answers to given inputs.

It is made where the original can run (the user's machine, or the isolated process), and checked where only the ONNX
model runs.
"""

import math
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

MAX_COLUMNS = 20_000
NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Kind(StrEnum):
    """Where the inputs come from: the sample, or probes made from it."""

    SAMPLE = "sample"
    MISSING = "missing"
    UNSEEN_CATEGORY = "unseen_category"
    THRESHOLD = "threshold"
    OUT_OF_RANGE = "out_of_range"
    PERMUTED = "permuted"


Values = dict[str, list[Any]]


class Evidence(BaseModel):
    """Inputs by feature and outputs by name, one list each, all of one length.

    A missing input is null; an output that is no finite number is "NaN", "Infinity" or "-Infinity", which JSON lacks.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind = Kind.SAMPLE
    inputs: Annotated[Values, Field(min_length=1, max_length=MAX_COLUMNS)]
    outputs: Annotated[Values, Field(max_length=1000)] = {}

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        lengths = {len(values) for values in (*self.inputs.values(), *self.outputs.values())}
        if len(lengths) != 1 or lengths == {0}:
            raise ValueError("inputs and outputs must be lists of one length, of at least one value")
        return self

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return len(next(iter(self.inputs.values())))


EvidenceList = TypeAdapter(Annotated[list[Evidence], Field(max_length=50)])


def jsonable(value: object) -> object:
    """Return a value, or a list of them, with what JSON lacks as text."""
    if isinstance(value, list):
        return [jsonable(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def number(value: object) -> object:
    """Return a value with "NaN" and its like read as numbers."""
    if isinstance(value, list):
        return [number(part) for part in value]
    return NOT_FINITE.get(value, value) if isinstance(value, str) else value
