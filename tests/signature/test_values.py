"""What a value may be, by the type, limits and shape of its feature."""

from typing import Any

import numpy as np
import pytest

from argosy.signature.spec import DType, Feature, Tensor
from tests.signature.factories import body, compiled, feature, refusal


def accepted(one: Feature, value: Any) -> Any:
    """Return the element that a value becomes in its tensor."""
    return compiled(one).parse(body({"data": [[value]]}), max_rows=1).tensors[one.tensor][0].tolist()


ACCEPTED: list[tuple[str, Any, Any]] = [
    ("float32", 0.5, 0.5),
    ("float32", 3, 3.0),
    ("float32", -0.0, -0.0),
    ("float32", 3.4028234663852886e38, 3.4028234663852886e38),
    ("float32", 1e-50, 0.0),
    ("float64", 1.7976931348623157e308, 1.7976931348623157e308),
    ("float16", 65504, 65504.0),
    ("int64", 2**63 - 1, 2**63 - 1),
    ("int64", -(2**63), -(2**63)),
    ("int64", 3.0, 3),
    ("int64", -0.0, 0),
    ("uint64", 2**64 - 1, 2**64 - 1),
    ("uint8", 255, 255),
    ("int8", -128, -128),
    ("bool", True, True),
    ("string", "", ""),
    ("string", "naïve \U0001f600", "naïve \U0001f600"),
]


@pytest.mark.parametrize(("dtype", "value", "element"), ACCEPTED)
def test_a_value_of_the_type_is_accepted(dtype: str, value: Any, element: Any) -> None:
    assert repr(accepted(feature("x", dtype), value)) == repr([element])


REFUSED: list[tuple[str, Any, str]] = [
    ("float32", "1.5", "float_type"),
    ("float32", True, "float_type"),
    ("float32", None, "float_type"),
    ("float32", [1], "float_type"),
    ("float32", 1e39, "number_range"),
    ("float32", 10**39, "number_range"),
    ("float32", 10**4000, "float_type"),
    ("float16", 65505, "number_range"),
    ("int64", "1", "int_type"),
    ("int64", False, "int_type"),
    ("int64", 1.5, "int_type"),
    ("int64", None, "int_type"),
    ("int64", 2**63, "number_range"),
    ("int64", 1e300, "number_range"),
    ("int64", 10**4000, "number_range"),
    ("int32", 2**31, "number_range"),
    ("uint8", 256, "number_range"),
    ("uint8", -1, "number_range"),
    ("uint64", 2**64, "number_range"),
    ("bool", 1, "bool_type"),
    ("bool", "true", "bool_type"),
    ("bool", None, "bool_type"),
    ("string", 1, "string_type"),
    ("string", None, "string_type"),
    ("string", "a\x00b", "string_nul"),
]


@pytest.mark.parametrize("index", [None, 0])
@pytest.mark.parametrize(("dtype", "value", "kind"), REFUSED)
def test_a_value_of_another_type_is_refused(dtype: str, value: Any, kind: str, index: int | None) -> None:
    refused = refusal(compiled(feature("x", dtype, index=index)), {"rows": [{"x": value}]})
    assert [(one["loc"], one["type"]) for one in refused.errors] == [(["rows", 0, "x"], kind)]


@pytest.mark.parametrize("literal", [b"1e400", b"-1e400"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_a_number_too_large_for_json_is_refused_by_its_field(literal: bytes, dtype: str) -> None:
    for one in (feature("x", dtype), feature("x", dtype, index=0), feature("x", dtype, shape=[1])):
        value = b"[" + literal + b"]" if one.shape else literal
        refused = refusal(compiled(one), b'{"rows":[{"x":' + value + b"}]}")
        assert refused.errors[0]["loc"][:3] == ["rows", 0, "x"]


def test_the_tensor_limits_its_features_too() -> None:
    tensors = [Tensor(name="X", dtype=DType.FLOAT32, shape=[None, 2])]
    features = [feature("a", "float64", tensor="X", index=0), feature("b", "int64", tensor="X", index=1)]
    signature = compiled(*features, tensors=tensors)
    assert signature.parse(b'{"data":[[1.5,2]]}', max_rows=1).tensors["X"].tolist() == [[1.5, 2.0]]
    assert refusal(signature, {"data": [[1e39, 2]]}).errors[0]["type"] == "number_range"


def test_a_tensor_that_cannot_carry_a_feature_is_refused_when_compiled() -> None:
    tensors = [Tensor(name="x", dtype=DType.FLOAT32, shape=[None, 1])]
    with pytest.raises(ValueError, match="cannot carry"):
        compiled(feature("x", "string"), tensors=tensors)


def test_null_is_nan_in_a_float_and_the_filler_in_a_string() -> None:
    assert np.isnan(accepted(feature("x", nullable=True), None)[0])
    assert accepted(feature("x", "string", nullable=True, missing="?"), None) == ["?"]
    assert accepted(feature("x", "int64", nullable=True, missing="-1"), None) == [-1]


def test_null_in_a_matrix_is_nan_where_it_may_be_and_refused_elsewhere() -> None:
    tensors = [Tensor(name="X", dtype=DType.FLOAT32, shape=[None, 2])]
    features = [feature("a", tensor="X", index=0, nullable=True), feature("b", tensor="X", index=1)]
    signature = compiled(*features, tensors=tensors)
    parsed = signature.parse(b'{"data":[[null,2],[3,4]]}', max_rows=2).tensors["X"]
    np.testing.assert_array_equal(parsed, np.array([[np.nan, 2], [3, 4]], dtype=np.float32))
    refused = refusal(signature, {"data": [[1, None]]})
    assert refused.errors[0]["loc"] == ["data", 0, 1]
    assert refused.errors[0]["msg"].startswith("b: ")


def test_columns_go_to_their_place_in_the_tensor_not_that_of_the_signature() -> None:
    tensors = [Tensor(name="X", dtype=DType.FLOAT64, shape=[None, 2])]
    features = [feature("b", "float64", tensor="X", index=1), feature("a", "float64", tensor="X", index=0)]
    assert compiled(*features, tensors=tensors).parse(b'{"data":[[1,2]]}', max_rows=1).tensors["X"].tolist() == [[2, 1]]


@pytest.mark.parametrize("dtype", ["float32", "int64", "string"])
def test_a_category_outside_a_closed_list_is_refused_with_the_list(dtype: str) -> None:
    categories: list[Any] = ["red", "green"] if dtype == "string" else [1, 2]
    other: Any = "blue" if dtype == "string" else 3
    closed = feature("x", dtype, enum=categories)
    assert accepted(closed, categories[1]) == [categories[1]]
    told = refusal(compiled(closed), {"data": [[other]]}).errors[0]
    assert told["type"] == "enum"
    assert all(repr(category) in told["msg"] for category in categories)
    assert accepted(feature("x", dtype, enum=categories, open=True), other) == [other]


def test_a_long_list_of_categories_is_told_in_part() -> None:
    closed = feature("x", "string", enum=[f"category {number}" + "y" * 500 for number in range(100)])
    message = refusal(compiled(closed), {"data": [["z"]]}).errors[0]["msg"]
    assert "and 80 more" in message
    assert len(message) < 1000


@pytest.mark.parametrize(("value", "kind"), [(0.5, "greater_than_equal"), (9.5, "less_than_equal")])
@pytest.mark.parametrize("index", [None, 0])
def test_limits_of_the_owner_are_enforced(value: float, kind: str, index: int | None) -> None:
    limited = feature("x", minimum=1, maximum=9, index=index)
    assert accepted(limited, 1) == [1.0]
    assert accepted(limited, 9) == [9.0]
    assert refusal(compiled(limited), {"data": [[value]]}).errors[0]["type"] == kind


def test_limits_with_a_fraction_hold_for_integers() -> None:
    limited = feature("x", "int64", minimum=1.5, maximum=3.5)
    assert [accepted(limited, value) for value in (2, 3)] == [[2], [3]]
    assert [refusal(compiled(limited), {"data": [[value]]}).status for value in (1, 4)] == [422, 422]


def test_the_range_seen_is_not_enforced() -> None:
    assert accepted(feature("x", seen_minimum=0, seen_maximum=1), 50) == [50.0]


def test_nested_lists_become_an_array_of_the_type() -> None:
    parsed = compiled(feature("x", shape=[None, 2])).parse(b'{"data":[[[[1,2],[3,4.5]]],[[[5,6],[7,8]]]]}', max_rows=2)
    assert parsed.tensors["x"].dtype == np.float32
    assert parsed.tensors["x"].tolist() == [[[1, 2], [3, 4.5]], [[5, 6], [7, 8]]]


def test_a_free_dimension_may_be_empty() -> None:
    assert compiled(feature("x", shape=[None, 2])).parse(b'{"data":[[[]]]}', max_rows=1).tensors["x"].shape == (1, 0, 2)


NESTED: dict[str, tuple[Any, list[int], str]] = {
    "a scalar": (1, [], "list_type"),
    "too flat": ([1, 2], [0], "list_type"),
    "half flat": ([[1, 2], 3], [1], "list_type"),
    "ragged": ([[1, 2], [3]], [1], "array_shape"),
    "too wide": ([[1, 2, 3], [1, 2, 3]], [0], "array_shape"),
    "too tall": ([[1, 2]] * 3, [], "array_shape"),
    "too deep": ([[1, 2], [1, [2]]], [1, 1], "float_type"),
    "a string": ([[1, 2], ["3", 4]], [1, 0], "float_type"),
    "a boolean": ([[1, True], [3, 4]], [0, 1], "float_type"),
    "null": ([[1, 2], [None, 4]], [1, 0], "float_type"),
    "out of range": ([[1, 2], [3, 1e39]], [1, 1], "number_range"),
    "below the minimum": ([[1, 2], [3, -1]], [1, 1], "greater_than_equal"),
}


@pytest.mark.parametrize(("value", "at", "kind"), NESTED.values(), ids=NESTED)
def test_nested_lists_that_do_not_fit_are_refused_at_the_place(value: Any, at: list[int], kind: str) -> None:
    refused = refusal(compiled(feature("x", shape=[2, 2], minimum=0)), {"rows": [{"x": value}]})
    assert [(one["loc"], one["type"]) for one in refused.errors] == [(["rows", 0, "x", *at], kind)]


def test_rows_whose_free_dimensions_differ_are_refused() -> None:
    refused = refusal(compiled(feature("x", shape=[None])), {"columns": {"x": [[1, 2], [1, 2], [1]]}})
    assert [(one["loc"], one["type"]) for one in refused.errors] == [(["columns", "x", 2], "array_shape")]


def test_nulls_and_integral_floats_in_nested_lists() -> None:
    assert np.isnan(accepted(feature("x", shape=[2], nullable=True), [1, None])[1])
    assert accepted(feature("x", "int64", shape=[2]), [1.0, 2]) == [1, 2]
    assert accepted(feature("x", "string", shape=[2], nullable=True, missing=""), ["a", None]) == ["a", ""]
    assert accepted(feature("x", "bool", shape=[2]), [True, False]) == [True, False]
