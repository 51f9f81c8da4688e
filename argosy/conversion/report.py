"""The parity report: whether the ONNX model answers as the original does, and where it differs most."""

from typing import Any

from pydantic import BaseModel, Field

from argosy.conversion.evidence import Kind


class Tolerance(BaseModel):
    """|actual - expected| may be at most `atol * scale + rtol * |expected|`; scale is the output's size, at least 1."""

    rtol: float = 1e-4
    atol: float = 1e-5


class Worst(BaseModel):
    """The largest difference, and where it is."""

    difference: float = Field(description="In units of the tolerance; 1e12 at most, and for a label.")
    row: int
    output: str
    expected: Any
    actual: Any


class Check(BaseModel):
    """The comparison on one kind of evidence."""

    kind: Kind
    rows: int
    passed: bool
    labels_equal: bool = True
    ties: int = Field(0, description="Rows whose labels differ between classes of equal probability.")
    worst: Worst | None = None
    reason: str | None = None


class ParityReport(BaseModel):
    """The verdict. `compared` is false where the upload brought no answers of the original: then it only ran."""

    passed: bool
    compared: bool
    tolerance: Tolerance = Tolerance()
    checks: list[Check] = []
    reason: str | None = None
    advice: str | None = None
    versions: dict[str, str] = {}
