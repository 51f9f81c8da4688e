"""The conversion table: each family converts, and its ONNX model passes the gate on the sample and every probe."""

import pytest

from argosy.conversion.convert import convert
from argosy.conversion.errors import ConversionError, Failure
from argosy.conversion.evidence import EvidenceList, Kind
from argosy.conversion.frames import read_sample
from argosy.conversion.originals import Original
from argosy.conversion.report import ParityReport
from argosy.conversion.run import check, open_session
from argosy.signature.compiled import CompiledSignature
from tests.conversion import cases

TABLE = (
    [(name, kind) for name in cases.CLASSIFIERS for kind in ("binary", "multiclass")]
    + [(name, "number") for name in cases.REGRESSORS]
    + [(name, "none") for name in cases.OTHERS]
)


def verdict(model: object, sample: object) -> tuple[bool, str | None, list[Kind]]:
    conversion = convert(model, sample)
    # As the server sees it: the evidence has been through JSON.
    evidence = EvidenceList.validate_json(EvidenceList.dump_json(conversion.evidence))
    report = check(open_session(conversion.onnx), conversion.signature, evidence)
    compiled = CompiledSignature(conversion.signature)
    outputs = open_session(conversion.onnx).run(None, compiled.to_tensors(compiled_inputs(conversion)).tensors)
    assert len(outputs[0]) == evidence[0].rows
    return report.passed, report.reason, [one.kind for one in evidence]


def compiled_inputs(conversion: object) -> dict[str, list[object]]:
    inputs: dict[str, list[object]] = conversion.evidence[0].inputs  # type: ignore[attr-defined]
    return inputs


@pytest.mark.parametrize(("name", "kind"), TABLE)
def test_estimator(name: str, kind: str) -> None:
    passed, reason, kinds = verdict(*cases.estimator(name, kind))
    assert passed, reason
    assert Kind.PERMUTED in kinds
    assert Kind.OUT_OF_RANGE in kinds


@pytest.mark.parametrize("name", cases.PIPELINES)
def test_pipeline(name: str) -> None:
    passed, reason, _kinds = verdict(*cases.PIPELINES[name]())
    assert passed, reason


def test_the_table_is_as_long_as_it_says() -> None:
    assert len(TABLE) + len(cases.PIPELINES) >= 60


@pytest.mark.parametrize("name", cases.SILENTLY_WRONG)
def test_a_silently_wrong_conversion_is_caught(name: str) -> None:
    model, sample = cases.SILENTLY_WRONG[name]()
    failure = gate(model, sample)
    assert failure is not None
    assert failure.reason
    assert failure.advice


def gate(model: object, sample: object) -> Failure | ParityReport | None:
    """Return what the gate has against a model, or None."""
    try:
        conversion = convert(model, sample)
    except ConversionError as error:
        return error.failure
    report = check(open_session(conversion.onnx), conversion.signature, conversion.evidence)
    return None if report.passed else report


@pytest.mark.parametrize("name", cases.SUSPECTS)
def test_a_suspect_is_caught_or_answers_right_on_rows_the_gate_never_saw(name: str) -> None:
    model, sample, fresh = cases.SUSPECTS[name]()
    try:
        conversion = convert(model, sample)
    except ConversionError:
        return
    session = open_session(conversion.onnx)
    if not check(session, conversion.signature, conversion.evidence).passed:
        return
    served = Original(model).evidence(Kind.SAMPLE, read_sample(model, fresh))
    report = check(session, conversion.signature, [served])
    assert report.passed, report.reason


def test_missing_values_the_conversion_gets_wrong_are_refused_at_the_door() -> None:
    forest, sample = cases.estimator("RandomForestClassifier", "binary")
    conversion = convert(forest, sample)
    assert not any(feature.nullable for feature in conversion.signature.inputs)
    boosted, sample = cases.PIPELINES["xgboost binary"]()
    assert all(feature.nullable for feature in convert(boosted, sample).signature.inputs)
    assert not any(feature.nullable for feature in convert(boosted, sample, nullable=False).signature.inputs)


def test_the_signature_says_what_the_sample_shows() -> None:
    model, sample = cases.PIPELINES["mixed columns, linear"]()
    signature = convert(model, sample).signature
    city, age, income = signature.inputs
    assert (city.name, city.dtype, city.enum, city.open) == ("city", "string", ["oslo", "paris", "rome"], False)
    assert (age.seen_minimum, age.seen_maximum) == (float(sample["age"].min()), float(sample["age"].max()))
    assert income.example == pytest.approx(sample["income"].iloc[0])
    assert signature.classes == [0, 1]
    assert [output.name for output in signature.outputs] == ["label", "probabilities"]


@pytest.mark.parametrize(
    ("model", "sample", "code"),
    [
        (object(), [[1.0]], "not-a-model"),
        (cases.estimator("Ridge", "number")[0], [[1.0, 2.0]], "sample-columns"),
        (cases.estimator("Ridge", "number")[0], [], "sample-shape"),
        (cases.estimator("Ridge", "number")[0], [["a"] * 6], "sample-refused"),
        (cases.PIPELINES["mixed columns, linear"]()[0], {"city": ["oslo"]}, "sample-columns"),
    ],
)
def test_what_cannot_be_converted_says_why(model: object, sample: object, code: str) -> None:
    with pytest.raises(ConversionError) as caught:
        convert(model, sample)
    assert caught.value.failure.code == code
