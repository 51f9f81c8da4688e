"""The form of a request: JSON, its three shapes, names, and how many rows."""

import json
import time
from typing import Any

import numpy as np
import pytest

from argosy.signature.errors import InvalidInput
from tests.signature.factories import body, compiled, feature, flowers, forms, refusal

NAMES = ["sepal_length", "sepal_width"]
ROW = {"sepal_length": 5.1, "sepal_width": 3.5}


@pytest.mark.parametrize("form", ["rows", "columns", "data"])
def test_each_form_is_read(form: str) -> None:
    batch = flowers().parse(forms(NAMES, [[5.1, 3.5], [6, 3]])[form], max_rows=2)
    assert batch.rows == 2
    np.testing.assert_array_equal(batch.tensors["X"], np.array([[5.1, 3.5], [6, 3]], dtype=np.float32))


def test_the_order_of_names_in_a_row_does_not_matter() -> None:
    batch = flowers().parse(b'{"rows":[{"sepal_width":3.5,"sepal_length":5.1}]}', max_rows=1)
    np.testing.assert_array_equal(batch.tensors["X"], np.array([[5.1, 3.5]], dtype=np.float32))


NOT_JSON = {
    "empty": b"",
    "not UTF-8": b'{"rows":[{"sepal_length":"\xff"}]}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "NaN": b'{"data":[[NaN,1]]}',
    "Infinity": b'{"data":[[1,-Infinity]]}',
    "a duplicate key": b'{"rows":[{"sepal_length":1,"sepal_length":2,"sepal_width":1}]}',
    "trailing garbage": b'{"data":[[1,2]]} x',
    "a second document": b'{"data":[[1,2]]}{}',
    "a lone surrogate": b'{"data":[["\\ud800",1]]}',
    "a raw surrogate": b'{"data":[["\xed\xa0\x80",1]]}',
    "nesting too deep": b'{"data":' + b"[" * 100_000,
    "a million digits": b'{"data":[[' + b"1" * 1_000_000 + b",1]]}",
    "single quotes": b"{'data':[[1,2]]}",
    "a trailing comma": b'{"data":[[1,2],]}',
    "a leading zero": b'{"data":[[01,2]]}',
}


@pytest.mark.parametrize("content", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_not_json_is_refused_as_such(content: bytes) -> None:
    refused = refusal(flowers(), content)
    assert refused.status == 400
    assert [(one["loc"], one["type"]) for one in refused.errors] == [(["body"], "json_invalid")]


def test_a_duplicate_key_is_not_repeated_in_the_refusal() -> None:
    assert "secret" not in str(refusal(flowers(), b'{"secret":1,"secret":2}').errors)


WRONG_FORMS: dict[str, tuple[Any, list[str | int], str]] = {
    "a list": ([ROW], ["body"], "dict_type"),
    "a number": (1, ["body"], "dict_type"),
    "null": (None, ["body"], "dict_type"),
    "nothing": ({}, ["body"], "missing"),
    "two forms": ({"rows": [ROW], "data": [[1, 2]]}, ["body"], "too_many_forms"),
    "an unknown key": ({"rows": [ROW], "inputs": 1}, ["inputs"], "extra_forbidden"),
    "rows that are an object": ({"rows": ROW}, ["rows"], "list_type"),
    "no rows": ({"rows": []}, ["rows"], "too_short"),
    "no values": ({"columns": {"sepal_length": [], "sepal_width": []}}, ["columns"], "too_short"),
    "no data": ({"data": []}, ["data"], "too_short"),
    "a row that is a list": ({"rows": [ROW, [5.1, 3.5]]}, ["rows", 1], "dict_type"),
    "a missing field": ({"rows": [ROW, {"sepal_length": 1}]}, ["rows", 1, "sepal_width"], "missing"),
    "an unknown field": ({"rows": [ROW, ROW | {"petal": 1}]}, ["rows", 1, "petal"], "extra_forbidden"),
    "a misspelled field": (
        {"rows": [{"sepal_length": 1, "sepal_widht": 1}]},
        ["rows", 0, "sepal_width"],
        "missing",
    ),
    "columns that are a list": ({"columns": [[1], [2]]}, ["columns"], "dict_type"),
    "a missing column": ({"columns": {"sepal_length": [1]}}, ["columns", "sepal_width"], "missing"),
    "an unknown column": (
        {"columns": {"sepal_length": [1], "sepal_width": [1], "petal": [1]}},
        ["columns", "petal"],
        "extra_forbidden",
    ),
    "a column that is no list": (
        {"columns": {"sepal_length": [1], "sepal_width": 1}},
        ["columns", "sepal_width"],
        "list_type",
    ),
    "data that is an object": ({"data": ROW}, ["data"], "list_type"),
    "data of numbers": ({"data": [5.1, 3.5]}, ["data", 0], "list_type"),
    "a narrow row": ({"data": [[1, 2], [1]]}, ["data", 1], "row_length"),
    "a wide row": ({"data": [[1, 2], [1, 2, 3]]}, ["data", 1], "row_length"),
}


@pytest.mark.parametrize(("value", "loc", "kind"), WRONG_FORMS.values(), ids=WRONG_FORMS)
def test_a_wrong_form_is_refused_where_it_is_wrong(value: Any, loc: list[str | int], kind: str) -> None:
    refused = refusal(flowers(), body(value))
    assert refused.status == 422
    assert (refused.errors[0]["loc"], refused.errors[0]["type"]) == (loc, kind)


def test_the_width_and_the_names_are_told_for_a_row_of_another_width() -> None:
    message = refusal(flowers(), {"data": [[1, 2, 3]]}).errors[0]["msg"]
    assert "list of 2 values: sepal_length, sepal_width" in message


@pytest.mark.parametrize("lengths", [(2, 1, 2), (2, 3, 2), (1, 0, 1), (0, 5, 0)])
def test_the_column_that_differs_is_named_rather_than_those_that_agree(lengths: tuple[int, ...]) -> None:
    signature = compiled(feature("a"), feature("b"), feature("c"))
    columns = {name: [1] * length for name, length in zip("abc", lengths, strict=True)}
    named = [one["loc"][1] for one in refusal(signature, {"columns": columns}).errors]
    assert named == (["a", "c"] if lengths == (0, 5, 0) else ["b"])


@pytest.mark.parametrize("form", ["rows", "columns", "data"])
def test_more_rows_than_allowed_are_refused_with_the_limit(form: str) -> None:
    content = forms(NAMES, [[1, 2]] * 11)[form]
    assert flowers().parse(content, max_rows=11).rows == 11
    refused = refusal(flowers(), content, max_rows=10)
    assert refused.status == 413
    assert "11 rows" in refused.errors[0]["msg"]
    assert "10" in refused.errors[0]["msg"]


def test_a_model_without_a_batch_takes_one_row() -> None:
    one = compiled(feature("a", shape=[2]), batched=False)
    assert one.parse(b'{"data":[[[1,2]]]}', max_rows=9).tensors["a"].shape == (2,)
    assert refusal(one, b'{"data":[[[1,2]],[[1,2]]]}').errors[0]["loc"] == ["data"]


def test_a_model_without_a_batch_gets_a_scalar_of_its_tensors_rank() -> None:
    one = compiled(feature("a"), batched=False)
    assert one.parse(b'{"data":[[3]]}', max_rows=9).tensors["a"].shape == (1, 1)


def test_an_error_far_down_is_told_at_its_row() -> None:
    columns: dict[str, list[Any]] = {name: [1] * 900 for name in NAMES}
    columns["sepal_width"][700] = "x"
    assert refusal(flowers(), {"columns": columns}).errors[0]["loc"] == ["columns", "sepal_width", 700]


def test_errors_are_bounded_in_number_and_the_rest_is_counted() -> None:
    refused = refusal(flowers(), {"data": [["x", "y"]] * 500})
    assert len(refused.errors) == 21
    assert refused.errors[-1]["msg"] == "and 980 more errors"


@pytest.mark.parametrize("key", ["k" * 100_000, "\x00" * 1000, "\U0001f600" * 1000, '"' * 1000])
def test_errors_are_bounded_in_size_whatever_the_client_calls_things(key: str) -> None:
    signature = compiled(*(feature(str(number) + "é" * 200) for number in range(50)))
    contents: list[Any] = [
        {f"{number}{key}": 1 for number in range(40)},
        {"rows": [{f"{number}{key}": 1 for number in range(40)}]},
        {"columns": {f"{number}{key}": 1 for number in range(40)}},
        {"data": [[key] * 50] * 30},
        {"data": [[key]] * 30},
    ]
    for content in contents:
        refused = refusal(signature, content)
        assert len(json.dumps(refused.errors)) <= 8 * 1024
        assert len(refused.errors) <= 21
        assert key[:101] not in str(refused.errors)


def test_a_name_of_the_client_is_cut_at_a_hundred_characters() -> None:
    loc = refusal(flowers(), {"rows": [ROW | {"k" * 500: 1}]}).errors[0]["loc"]
    assert loc == ["rows", 0, "k" * 100]


def test_a_long_name_of_the_signature_is_told_whole() -> None:
    assert refusal(compiled(feature("f" * 250)), {"rows": [{}]}).errors[0]["loc"] == ["rows", 0, "f" * 250]


def test_values_are_never_repeated() -> None:
    signature = compiled(
        feature("a"), feature("b", "string", enum=["x"]), feature("c", "int8"), feature("d", shape=[2])
    )
    secrets: list[Any] = ["hunter2", "hunter2", 4242424242, ["hunter2", 4242]]
    for value in ({"data": [secrets]}, {"rows": secrets}, {"rows": [dict(zip("abcd", secrets, strict=True))]}):
        told = str(refusal(signature, value).errors)
        assert "hunter2" not in told
        assert "4242" not in told


@pytest.mark.parametrize("row", [b"{}", b'{"a":1}', b"[]", b"0"])
def test_a_mountain_of_mistakes_is_refused_in_little_time(row: bytes) -> None:
    wide = compiled(*(feature(f"f{number}") for number in range(1000)))
    started = time.thread_time()  # of the processor: what else the machine does says nothing about it
    refused = refusal(wide, b'{"rows":[' + b",".join([row] * 50_000) + b"]}", max_rows=50_000)
    assert time.thread_time() - started < 3
    assert refused.errors[-1]["type"] == "too_many_errors"


def test_columns_of_arrays_are_checked_and_packed() -> None:
    batch = flowers().to_tensors({"sepal_length": np.array([5.1, 6], dtype=np.float32), "sepal_width": (3, 4)})
    np.testing.assert_array_equal(batch.tensors["X"], np.array([[5.1, 3], [6, 4]], dtype=np.float32))


@pytest.mark.parametrize(
    ("columns", "loc"),
    [
        ({"sepal_length": [1.0]}, ["columns", "sepal_width"]),
        ({"sepal_length": [1.0], "sepal_width": [1.0, 2.0]}, ["columns", "sepal_width"]),
        ({"sepal_length": [1.0], "sepal_width": [1.0], "x": [1]}, ["columns", "x"]),
        ({"sepal_length": [1.0], "sepal_width": ["\ud800"]}, ["columns", "sepal_width", 0]),
        ({"sepal_length": [1.0], "sepal_width": np.array([np.inf])}, ["columns", "sepal_width", 0]),
        ({"sepal_length": [1.0], "sepal_width": np.array([np.nan])}, ["columns", "sepal_width", 0]),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns: dict[str, Any], loc: list[str | int]) -> None:
    with pytest.raises(InvalidInput) as refused:
        flowers().to_tensors(columns)
    assert refused.value.errors[0]["loc"] == loc


def test_nan_in_an_array_is_a_missing_value() -> None:
    batch = compiled(feature("a", nullable=True)).to_tensors({"a": np.array([1, np.nan])})
    assert np.isnan(batch.tensors["a"][1, 0])


def test_a_lone_surrogate_in_a_column_is_refused() -> None:
    with pytest.raises(InvalidInput):
        compiled(feature("a", "string")).to_tensors({"a": ["\ud800"]})
