"""Properties of every signature: what fits is packed exactly, the forms agree, and nothing else gets in."""

import json
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argosy.signature.compiled import CompiledSignature
from argosy.signature.errors import InvalidInput
from argosy.signature.spec import DType, Feature, Tensor
from argosy.signature.tensors import Batch
from tests.signature.factories import feature, flowers, forms, signature
from tests.signature.strategies import Case, cases, expected

relaxed = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
WRONG: dict[str, list[Any]] = {
    "string": [1, True, 1.5, "a\x00b", [], {}],
    "bool": [0, 1, "true", 1.0, [], {}],
    "float": ["1", True, [], {}, 10**400, -(10**400)],
    "integer": ["1", False, [], {}, 0.5, 2**64, -(2**63) - 1, 1e300],
}


def verdict(compiled: CompiledSignature, content: bytes) -> Batch | InvalidInput:
    try:
        return compiled.parse(content, max_rows=100)
    except InvalidInput as error:
        return error


def same(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    # As text, NaN equals NaN and 1 differs from True.
    return (one.dtype, one.shape, repr(one.tolist())) == (other.dtype, other.shape, repr(other.tolist()))


@relaxed
@given(cases())
def test_rows_that_fit_become_the_tensors_numpy_makes_of_them_in_every_form(case: Case) -> None:
    compiled = CompiledSignature(case.signature)
    for content in forms(case.names, case.rows).values():
        batch = compiled.parse(content, max_rows=100)
        assert batch.rows == len(case.rows)
        for tensor in case.signature.tensors:
            assert same(batch.tensors[tensor.name], expected(case, tensor)), tensor


@relaxed
@given(cases())
def test_columns_of_python_values_become_the_same_tensors_as_a_request(case: Case) -> None:
    compiled = CompiledSignature(case.signature)
    columns = {name: [row[at] for row in case.rows] for at, name in enumerate(case.names)}
    parsed = compiled.parse(forms(case.names, case.rows)["rows"], max_rows=100)
    direct = compiled.to_tensors(columns)
    assert all(same(direct.tensors[name], parsed.tensors[name]) for name in parsed.tensors)


@relaxed
@given(cases())
def test_the_row_model_accepts_what_a_request_may_hold(case: Case) -> None:
    model = CompiledSignature(case.signature).row_model
    for row in case.rows:
        model.model_validate(dict(zip(case.names, row, strict=True)))


@relaxed
@given(cases(), st.data())
def test_one_wrong_value_is_refused_in_every_form_by_the_name_of_its_field(case: Case, data: st.DataObject) -> None:
    compiled = CompiledSignature(case.signature)
    at = data.draw(st.integers(0, len(case.names) - 1))
    row = data.draw(st.integers(0, len(case.rows) - 1))
    case.rows[row][at] = data.draw(st.sampled_from(wrong_values(case.signature.inputs[at])))
    refusals = {form: verdict(compiled, content) for form, content in forms(case.names, case.rows).items()}
    name = case.names[at]
    for form, refused in refusals.items():
        assert isinstance(refused, InvalidInput), (form, refused)
        assert refused.status == 422
        loc = refused.errors[0]["loc"]
        place = {"rows": ["rows", row, name], "columns": ["columns", name, row], "data": ["data", row, at]}[form]
        assert loc[:3] == place
        assert form != "data" or refused.errors[0]["msg"].startswith(f"{name}: ")
    assert len({(one.errors[0]["type"], len(one.errors)) for one in refusals.values()}) == 1  # type: ignore[union-attr]


def wrong_values(one: Feature) -> list[Any]:
    kind = "integer" if one.dtype.is_integer else "float" if one.dtype.is_float else one.dtype.value
    wrong = [value for value in WRONG[kind] if not (one.shape and value == [])]
    return wrong if one.nullable and not one.shape else [*wrong, None]


@relaxed
@given(cases(), JSON, st.data())
def test_any_value_in_a_field_has_one_verdict_in_every_form(case: Case, value: Any, data: st.DataObject) -> None:
    compiled = CompiledSignature(case.signature)
    at = data.draw(st.integers(0, len(case.names) - 1))
    case.rows[0][at] = value
    verdicts = [verdict(compiled, content) for content in forms(case.names, case.rows).values()]
    if isinstance(verdicts[0], InvalidInput):
        assert len({(one.status, one.errors[0]["type"]) for one in verdicts if isinstance(one, InvalidInput)}) == 1
        assert all(isinstance(one, InvalidInput) for one in verdicts)
        return
    batches = [one for one in verdicts if isinstance(one, Batch)]
    assert len(batches) == len(verdicts)
    assert all(same(one.tensors[name], other) for one in batches for name, other in batches[0].tensors.items())


@relaxed
@given(cases(), JSON)
def test_any_json_is_answered_or_refused(case: Case, value: Any) -> None:
    compiled = CompiledSignature(case.signature)
    for content in (value, {"rows": value}, {"rows": [value]}, {"columns": value}, {"data": value}, {"data": [value]}):
        refused = verdict(compiled, json.dumps(content).encode())
        if isinstance(refused, InvalidInput):
            assert refused.status in {400, 413, 422}
            assert refused.errors


@relaxed
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(content: bytes) -> None:
    assert isinstance(verdict(flowers(), content), InvalidInput)


@relaxed
@given(st.integers(0, 60), st.binary(min_size=1, max_size=3))
def test_a_damaged_request_is_answered_or_refused(position: int, damage: bytes) -> None:
    content = forms(["sepal_length", "sepal_width"], [[5.1, 3.5]])["rows"]
    verdict(flowers(), content[:position] + damage + content[position + len(damage) :])


@relaxed
@given(st.lists(st.lists(st.floats(-1e38, 1e38) | st.integers(-(10**38), 10**38), min_size=3, max_size=3), min_size=1))
def test_the_block_of_floats_equals_the_columns_one_by_one(rows: list[list[float]]) -> None:
    names = ["a", "b", "c"]
    matrix = [Tensor(name="X", dtype=DType.FLOAT32, shape=[None, 3])]
    block = [feature(name, "float64", tensor="X", index=index) for index, name in enumerate(names)]
    single = [*block[:2], block[2].model_copy(update={"enum": [row[2] for row in rows]})]
    contents = forms(names, rows)["data"]
    tensors = [
        CompiledSignature(signature(*features, tensors=matrix)).parse(contents, max_rows=100).tensors["X"]
        for features in (block, single)
    ]
    assert same(*tensors)
