"""The JSON Schema of a signature says what its requests and answers are."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import ValidationError

from argosy.signature.compiled import CompiledSignature
from argosy.signature.spec import DType, Feature
from tests.signature.conformance import conforms
from tests.signature.factories import body, compiled, feature, flowers, forms
from tests.signature.strategies import Case, cases

relaxed = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def described(one: Feature) -> dict[str, Any]:
    """Return the schema of one feature."""
    schema: dict[str, Any] = compiled(one).json_schema()["properties"]["input"]["properties"][one.name]
    return schema


@relaxed
@given(cases())
def test_every_request_that_is_accepted_conforms(case: Case) -> None:
    schema = CompiledSignature(case.signature).request_json_schema()
    for content in forms(case.names, case.rows).values():
        assert conforms(json.loads(content), schema)


@relaxed
@given(cases())
def test_the_example_of_a_signature_is_accepted_and_conforms(case: Case) -> None:
    signature = CompiledSignature(case.signature)
    example = signature.example_request()
    assert signature.parse(body(example), max_rows=1).rows == 1
    assert conforms(example, signature.request_json_schema())


def test_the_schema_tells_wrong_requests_from_right_ones() -> None:
    schema = flowers().request_json_schema()
    assert conforms({"data": [[1, 2]]}, schema)
    wrong: list[Any] = [{}, {"data": []}, {"data": [[1]]}, {"data": [["1", 2]]}, {"rows": [{"sepal_length": 1}]}]
    assert not any(conforms(one, schema) for one in wrong)


def test_predictions_conform_to_the_schema_of_the_answer() -> None:
    outputs = {"label": np.array(["setosa"], dtype=object), "p": np.array([[np.nan, 0.25]])}
    answer = {"id": "x", "model": "o/m", "version": 1, "predictions": flowers().encode(outputs, 1)}
    assert conforms(answer, flowers().response_json_schema())
    assert conforms(answer["predictions"], {"type": "array", "items": flowers().json_schema()["properties"]["output"]})


def test_a_feature_is_described_by_type_limits_and_what_was_seen() -> None:
    one = feature("x", description="Length", example=5.1, minimum=0, seen_minimum=4.3, seen_maximum=7.9)
    assert described(one) == {
        "title": "x",
        "description": "Length",
        "examples": [5.1],
        "type": "number",
        "format": "float32",
        "minimum": 0,
        "x-seen-minimum": 4.3,
        "x-seen-maximum": 7.9,
    }


def test_a_closed_list_is_an_enum_and_an_open_one_examples() -> None:
    assert described(feature("x", "string", enum=["a", "b"]))["enum"] == ["a", "b"]
    is_open = described(feature("x", "string", enum=["a", "b"], open=True, example="b"))
    assert "enum" not in is_open
    assert is_open["examples"] == ["a", "b"]


def test_a_nullable_feature_may_be_null() -> None:
    schema = described(feature("x", nullable=True))
    assert {"type": "null"} in schema["anyOf"]


def test_a_shape_is_nested_arrays() -> None:
    inner = {"type": "array", "items": {"type": "integer", "format": "int8"}, "minItems": 2, "maxItems": 2}
    assert described(feature("x", "int8", shape=[None, 2])) == {"title": "x", "type": "array", "items": inner}


@pytest.mark.parametrize(
    "name", ["model_config", "model_fields", "copy", "_x", "__class__", "two words", "1st", "$ref"]
)
def test_a_feature_may_have_any_name(name: str) -> None:
    signature = compiled(feature(name), feature("feature_0"))
    assert signature.parse(body({"rows": [{name: 1, "feature_0": 2}]}), max_rows=1).tensors[name].tolist() == [[1.0]]
    assert signature.row_model.model_validate({name: 1, "feature_0": 2}).model_dump(by_alias=True)[name] == 1
    assert set(signature.json_schema()["properties"]["input"]["properties"]) == {name, "feature_0"}


def test_the_row_model_refuses_what_a_request_may_not_hold() -> None:
    model = compiled(feature("x"), feature("y", "uint8")).row_model
    for row in ({"x": "1", "y": 1}, {"x": 1, "y": 256}, {"x": 1}, {"x": 1, "y": 1, "z": 1}):
        with pytest.raises(ValidationError):
            model.model_validate(row)


@pytest.mark.parametrize(
    ("one", "value"),
    [
        (feature("x", example=5.1), 5.1),
        (feature("x", minimum=2), 2),
        (feature("x", maximum=-3), -3),
        (feature("x", "int64", minimum=0.5), 1),
        (feature("x", "int64", maximum=-0.5), -1),
        (feature("x", "int64", seen_minimum=4), 4),
        (feature("x", "string", enum=["a"]), "a"),
        (feature("x", "bool"), False),
        (feature("x", shape=[None, 2]), [[0.0, 0.0]]),
    ],
)
def test_an_example_keeps_to_the_limits(one: Feature, value: Any) -> None:
    example = compiled(one).example_request()
    assert example == {"rows": [{"x": value}]}
    compiled(one).parse(body(example), max_rows=1)


def test_every_type_has_a_schema() -> None:
    kinds = {described(feature("x", dtype.value))["type"] for dtype in DType}
    assert kinds == {"number", "integer", "boolean", "string"}
