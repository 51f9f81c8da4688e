"""Comparing the ONNX model's outputs with the original's.

Labels must be equal; numbers must agree within the tolerance. ONNX's machine-learning operators compute in float32
(relative precision 1.2e-7); sums over hundreds of trees and exponentials lose two or three digits of that, which the
tolerance of 1e-4 leaves room for, while a wrong branch of a tree or a dropped category is orders of magnitude larger.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argosy.conversion.evidence import Evidence, number
from argosy.conversion.report import Check, Tolerance, Worst
from argosy.signature.spec import Output, Role, Signature

Array = NDArray[Any]
LARGEST = 1e12


def compare(
    signature: Signature,
    evidence: Evidence,
    actual: Mapping[str, Any],
    tolerance: Tolerance,
    scales: Mapping[str, float],
) -> Check:
    """Return how the outputs of the ONNX model, by tensor, compare with the evidence."""
    worst: Worst | None = None
    labels_equal, ties, reason = True, 0, None
    for output in signature.outputs:
        expected = _expected(evidence, output)
        if expected is None:
            continue
        got = np.asarray(actual[output.tensor])
        if len(got) != evidence.rows:
            reason = f"{output.name}: {len(got)} rows came back for {evidence.rows}"
            break
        if output.role is Role.LABEL or not output.dtype.is_float:
            wrong, tied = _labels(signature, evidence, expected, got)
            ties += tied
            labels_equal = labels_equal and wrong is None
            found = _worst_label(output, wrong, expected, got)
        else:
            found, shape_error = _numbers(output, expected, got, tolerance, scales.get(output.name, 1.0))
            reason = reason or shape_error
        worst = found if worst is None or (found is not None and found.difference > worst.difference) else worst
    passed = reason is None and labels_equal and (worst is None or worst.difference <= 1)
    return Check(
        kind=evidence.kind,
        rows=evidence.rows,
        passed=passed,
        labels_equal=labels_equal,
        ties=ties,
        worst=worst,
        reason=reason or (None if passed else _explain(worst)),
    )


def scale_of(evidence: Sequence[Evidence], output: Output) -> float:
    """Return the size of an output's values, at least 1: what its absolute tolerance is a fraction of."""
    values = [_expected(one, output) for one in evidence]
    largest = 1.0
    for array in values:
        if array is not None and output.dtype.is_float:
            finite = np.abs(array.astype(float)[np.isfinite(array.astype(float))])
            largest = max(largest, float(finite.max(initial=0.0)))
    return largest


def _expected(evidence: Evidence, output: Output) -> Array | None:
    for name in (output.name, output.tensor):
        if name in evidence.outputs:
            values = [number(value) for value in evidence.outputs[name]]
            return np.array(values, dtype=float if output.dtype.is_float else object)
    return None


def _labels(signature: Signature, evidence: Evidence, expected: Array, got: Array) -> tuple[int | None, int]:
    """Return the first row whose label is wrong, and how many differ between classes of equal probability."""
    flat, wanted = got.reshape(len(got), -1), expected.reshape(len(expected), -1)
    if flat.shape != wanted.shape:
        return 0, 0
    different = [row for row in range(len(flat)) if any(a != b for a, b in zip(flat[row], wanted[row], strict=True))]
    wrong = [row for row in different if not _is_tie(signature, evidence, row, flat[row][0], wanted[row][0])]
    return (wrong[0] if wrong else None), len(different) - len(wrong)


def _is_tie(signature: Signature, evidence: Evidence, row: int, got: Any, wanted: Any) -> bool:  # noqa: ANN401 - labels
    probabilities = evidence.outputs.get("probabilities")
    classes = signature.classes or []
    if probabilities is None or got not in classes or wanted not in classes:
        return False
    by_class = dict(zip(classes, probabilities[row], strict=False))
    return abs(float(by_class[got]) - float(by_class[wanted])) <= 2 * Tolerance().atol


def _worst_label(output: Output, row: int | None, expected: Array, got: Array) -> Worst | None:
    if row is None:
        return None
    return Worst(
        difference=LARGEST, row=row, output=output.name, expected=_plain(expected[row]), actual=_plain(got[row])
    )


def _numbers(
    output: Output, expected: Array, got: Array, tolerance: Tolerance, scale: float
) -> tuple[Worst | None, str | None]:
    wanted = expected.reshape(len(expected), -1)
    try:
        actual = got.astype(float).reshape(len(got), -1)
    except (TypeError, ValueError):
        return None, f"{output.name}: the ONNX model answers {got.dtype}, not numbers"
    if actual.shape != wanted.shape:
        return None, f"{output.name}: the original has {wanted.shape[1]} values a row, the ONNX model {actual.shape[1]}"
    allowed = tolerance.atol * scale + tolerance.rtol * np.abs(wanted)
    with np.errstate(invalid="ignore"):
        ratio = np.abs(actual - wanted) / allowed
    ratio[(actual == wanted) | (np.isnan(actual) & np.isnan(wanted))] = 0.0
    ratio[np.isnan(ratio)] = np.inf
    row, column = np.unravel_index(int(ratio.argmax()), ratio.shape)
    worst = Worst(
        difference=min(float(ratio[row, column]), LARGEST),
        row=int(row),
        output=output.name,
        expected=_plain(wanted[row, column]),
        actual=_plain(actual[row, column]),
    )
    return worst, None


def _explain(worst: Worst | None) -> str:
    if worst is None:
        return "the outputs differ"
    return f"{worst.output} of row {worst.row} is {worst.actual!r}, and was {worst.expected!r}"


def _plain(value: Any) -> Any:  # noqa: ANN401 - an element of an array
    plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    # JSON has no number for these.
    return plain if not isinstance(plain, float) or np.isfinite(plain) else str(plain)
