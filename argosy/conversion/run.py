"""Running an ONNX model on evidence, and the report of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from argosy.conversion.errors import ConversionError
from argosy.conversion.evidence import Evidence, number
from argosy.conversion.parity import compare, scale_of
from argosy.conversion.report import Check, ParityReport, Tolerance
from argosy.signature.schema import numpy_type
from argosy.signature.spec import Feature, Signature
from argosy.signature.tensors import TensorPacker

ADVICE = (
    "the ONNX conversion of this model is wrong for such inputs; use another estimator or other options "
    "(docs/conversion.md lists what is known), or export ONNX yourself and push that"
)
MISSING_ADVICE = "push it with nullable=False to refuse missing values at the door, or impute them in the pipeline"


def open_session(content: bytes) -> ort.InferenceSession:
    """Load a model on one thread; raises `ConversionError` when ONNX Runtime cannot."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:300]
        raise ConversionError("onnx-unloadable", f"ONNX Runtime cannot load the model: {reason}") from error


def check(session: ort.InferenceSession, signature: Signature, evidence: Sequence[Evidence]) -> ParityReport:
    """Return the parity report of a loaded model on evidence."""
    tolerance = Tolerance()
    scales = {output.name: scale_of(evidence, output) for output in signature.outputs}
    checks = [_check(session, signature, one, tolerance, scales) for one in evidence]
    failed = [one for one in checks if not one.passed]
    compared = any(_has_answers(signature, one) for one in evidence)
    reason = None
    if failed:
        kinds = ", ".join(one.kind.value for one in failed)
        reason = f"the ONNX model does not answer as the original does ({kinds}): {failed[0].reason}"
    only_missing = bool(failed) and all(one.kind == "missing" for one in failed)
    return ParityReport(
        passed=not failed,
        compared=compared,
        tolerance=tolerance,
        checks=checks,
        reason=reason,
        advice=(MISSING_ADVICE if only_missing else ADVICE) if failed else None,
        versions={"onnxruntime": ort.__version__},
    )


def _has_answers(signature: Signature, evidence: Evidence) -> bool:
    return any(output.name in evidence.outputs or output.tensor in evidence.outputs for output in signature.outputs)


def _check(
    session: ort.InferenceSession,
    signature: Signature,
    evidence: Evidence,
    tolerance: Tolerance,
    scales: dict[str, float],
) -> Check:
    try:
        actual = run(session, signature, evidence)
    except ConversionError:
        raise
    except Exception as error:  # noqa: BLE001 - the runtime fails with every kind of exception
        reason = f"the ONNX model cannot run on it: {str(error).strip().splitlines()[0][:300]}"
        return Check(kind=evidence.kind, rows=evidence.rows, passed=False, labels_equal=False, reason=reason)
    return compare(signature, evidence, actual, tolerance, scales)


def run(session: ort.InferenceSession, signature: Signature, evidence: Evidence) -> dict[str, NDArray[Any]]:
    """Return the model's outputs by tensor name; raises `ConversionError` when the inputs do not fit the signature."""
    names = [output.tensor for output in signature.outputs]
    columns = {feature.name: _column(evidence, feature) for feature in signature.inputs}
    if signature.batched:
        batch = TensorPacker(signature).pack(columns, evidence.rows)
        return dict(zip(names, session.run(names, batch.tensors), strict=True))
    packer = TensorPacker(signature)
    rows = [
        session.run(names, packer.pack({name: values[row : row + 1] for name, values in columns.items()}, 1).tensors)
        for row in range(evidence.rows)
    ]
    return {name: np.stack([np.asarray(row[position]) for row in rows]) for position, name in enumerate(names)}


def _column(evidence: Evidence, feature: Feature) -> list[Any]:
    if feature.name not in evidence.inputs:
        raise ConversionError("sample-columns", f"the sample lacks the input {feature.name!r}")
    values = evidence.inputs[feature.name]
    if feature.shape:
        return [np.asarray(number(value), dtype=numpy_type(feature.dtype)) for value in values]
    return [np.nan if value is None else number(value) for value in values] if feature.dtype.is_float else values
