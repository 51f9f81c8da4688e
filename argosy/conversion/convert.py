"""From a fitted estimator to ONNX, with its signature and the evidence of what the original answers."""

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import onnx

from argosy.conversion.derive import derive
from argosy.conversion.errors import ConversionError
from argosy.conversion.evidence import Evidence, Kind
from argosy.conversion.frames import Sample, read_sample
from argosy.conversion.originals import Original
from argosy.conversion.probes import Prober
from argosy.conversion.report import ParityReport
from argosy.conversion.run import check, open_session
from argosy.conversion.strategies import Strategy, strategies, to_onnx
from argosy.signature.spec import DType, Feature, Signature

LIBRARIES = ("scikit-learn", "xgboost", "lightgbm", "skl2onnx", "onnxmltools", "onnxruntime", "numpy")


@dataclass(frozen=True, slots=True)
class Conversion:
    """A converted model. Whether it answers as the original does is the server's verdict, on the evidence."""

    onnx: bytes
    signature: Signature
    evidence: list[Evidence]
    provenance: dict[str, str]


def convert(model: Any, sample: object, *, nullable: bool = True) -> Conversion:  # noqa: ANN401 - any estimator
    """Convert a fitted scikit-learn, XGBoost or LightGBM estimator or pipeline.

    `sample` is some rows of its inputs: a data frame, a matrix of shape (rows, features), columns by name, or texts.
    With `nullable=False` missing values will be refused at the door, and are not probed.

    The ways to convert are tried in turn, and the first whose answers agree is taken; if none agrees, the likeliest.

    Raises `ConversionError` when the model cannot be converted, with the reason and what to do.

    >>> convert(pipeline, X).signature.inputs[0].name
    'sepal_length'
    """
    rows = read_sample(model, sample)
    original = Original(model)
    evidence = _answers(original, rows)
    failures: list[ConversionError] = []
    conversion: Conversion | None = None
    for strategy in strategies(model, rows):
        try:
            attempt, agrees = _attempt(original, rows, evidence, strategy, nullable=nullable)
        except ConversionError as error:
            failures.append(error)
            continue
        if agrees:
            return attempt
        conversion = conversion or attempt
    if conversion is None:
        raise failures[0]
    return conversion


def _answers(original: Original, rows: Sample) -> Evidence:
    try:
        return original.evidence(Kind.SAMPLE, rows)
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise ConversionError(
            "sample-refused", f"the model cannot run on the sample: {reason}", "give a sample as it was trained on"
        ) from error


def _attempt(
    original: Original, rows: Sample, sample: Evidence, strategy: Strategy, *, nullable: bool
) -> tuple[Conversion, bool]:
    proto = to_onnx(original.model, rows, strategy)
    prober = Prober(original, rows, single=strategy.single)
    seen_missing = {name: bool(rows.frame[name].isna().any()) for name in rows.names}
    may_miss = {name: may and (nullable or seen_missing[name]) for name, may in prober.nullable().items()}
    attempt, report = _check(original, rows, proto, sample, prober, may_miss)
    if [one.kind for one in report.checks if not one.passed] == [Kind.MISSING] and not any(seen_missing.values()):
        # The original takes missing values but was not shown any, and the ONNX model answers them otherwise: they are
        # refused at the door instead.
        attempt, report = _check(original, rows, proto, sample, prober, seen_missing)
    return attempt, report.passed


def _check(
    original: Original,
    rows: Sample,
    proto: onnx.ModelProto,
    sample: Evidence,
    prober: Prober,
    may_miss: dict[str, bool],
) -> tuple[Conversion, ParityReport]:
    signature = derive(original, rows, proto, may_miss)
    probed = prober.probes({feature.name: feature.nullable for feature in signature.inputs})
    content: bytes = proto.SerializeToString()
    evidence = [_typed(one, signature) for one in (sample, *probed)]
    report = check(open_session(content), signature, evidence)
    return Conversion(content, signature, evidence, provenance(original.model)), report


def _typed(evidence: Evidence, signature: Signature) -> Evidence:
    """Return the evidence with its inputs as JSON will carry them: floats for float features, whole numbers else."""
    inputs = {
        feature.name: [_value(value, feature) for value in evidence.inputs[feature.name]]
        for feature in signature.inputs
    }
    return evidence.model_copy(update={"inputs": inputs})


def _value(value: Any, feature: Feature) -> Any:  # noqa: ANN401 - an element of a column
    if value is None:
        return None
    if feature.dtype.is_float:
        return float(value)
    if feature.dtype.is_integer:
        return int(value)
    return bool(value) if feature.dtype is DType.BOOL else value


def provenance(model: object) -> dict[str, str]:
    """Return what made a model: its class, the libraries and their versions."""
    found = {"estimator": f"{type(model).__module__}.{type(model).__qualname__}", "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
