"""Frames, arrays and files, as what is sent: nothing is lost or changed on the way."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from argosy.client import Prediction
from argosy.client.payloads import columns_of, prediction_body
from argosy.client.samples import read_columns, read_rows, sample_part
from argosy.client.uploads import version_metadata


def body(inputs: object) -> Any:
    return json.loads(prediction_body(inputs))


def test_every_missing_value_of_a_frame_is_null() -> None:
    frame = pd.DataFrame(
        {
            "number": [1.5, np.nan],
            "integer": pd.array([1, pd.NA], dtype="Int64"),
            "text": pd.array(["x", pd.NA], dtype="string"),
            "kind": pd.Categorical(["a", None]),
            "flag": [True, None],
        }
    )
    columns = {"number": [1.5, None], "integer": [1, None], "text": ["x", None], "kind": ["a", None]}
    assert body(frame) == {"columns": columns | {"flag": [True, None]}}
    frame_of_polars = pl.DataFrame({"a": [1.0, None, float("nan")], "b": ["x", None, "y"]})
    assert body(frame_of_polars) == {"columns": {"a": [1.0, None, None], "b": ["x", None, "y"]}}


@pytest.mark.parametrize(
    ("inputs", "sent"),
    [
        ([["female", 3.5], ["male", 4]], {"data": [["female", 3.5], ["male", 4]]}),
        (np.array([[1, 2], [3, 4]], dtype=np.float32), {"data": [[1.0, 2.0], [3.0, 4.0]]}),
        (np.array([1.0, 2.0]), {"data": [[1.0, 2.0]]}),
        (np.zeros((2, 1, 2)), {"data": [[[[0.0, 0.0]]], [[[0.0, 0.0]]]]}),
        ({"a": np.array([1, 2]), "b": ["x", "y"]}, {"columns": {"a": [1, 2], "b": ["x", "y"]}}),
        ({"a": pd.Series([1, 2])}, {"columns": {"a": [1, 2]}}),
        ({"a": pl.Series([1, 2])}, {"columns": {"a": [1, 2]}}),
        ({"a": np.float32(0.5), "b": np.int64(2)}, {"rows": [{"a": 0.5, "b": 2}]}),
        (pd.DataFrame({"a": [1], "b": ["x"]}).iloc[0], {"rows": [{"a": 1, "b": "x"}]}),
        ([{"at": datetime(2026, 1, 2, 3, tzinfo=UTC)}, {"at": date(2026, 1, 2)}], None),
        (({"a": number} for number in (1, 2)), {"rows": [{"a": 1}, {"a": 2}]}),
        (["x", "y"], {"data": [["x", "y"]]}),
        ([], {"data": []}),
    ],
)
def test_every_form_is_sent_as_it_is(inputs: object, sent: Any) -> None:
    sent = sent or {"rows": [{"at": "2026-01-02T03:00:00+00:00"}, {"at": "2026-01-02"}]}
    assert body(inputs) == sent


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([{"a": float("inf")}], "rows.0.a: infinity"),
        (np.array([[1.0, -np.inf]]), "data.0.1: infinity"),
        ([{"a": Decimal(1)}], "rows.0.a: Decimal"),
        ({"a": [1], "b": 2}, "b: a column should be a list"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "several columns named a"),
    ],
)
def test_what_json_lacks_is_refused_by_name(inputs: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        prediction_body(inputs)


@pytest.mark.parametrize("inputs", ["text", 3, None, b"bytes"])
def test_what_is_no_input_is_refused(inputs: object) -> None:
    with pytest.raises(TypeError, match="give rows"):
        prediction_body(inputs)


def test_a_sample_is_columns_by_name() -> None:
    assert columns_of([{"a": 1}, {"a": 2, "b": 3}]) == {"a": [1, 2], "b": [None, 3]}
    assert columns_of([[1, 2], [3, 4]]) == {"feature_0": [1, 3], "feature_1": [2, 4]}
    assert columns_of([]) == {}


def test_files_of_every_kind_are_read(tmp_path: Path) -> None:
    columns = {"a": [1, 2], "b": ["x", "y"]}
    pl.DataFrame(columns).write_csv(tmp_path / "f.csv")
    pl.DataFrame(columns).write_csv(tmp_path / "f.tsv", separator="\t")
    pl.DataFrame(columns).write_parquet(tmp_path / "f.parquet")
    for name, content in {
        "columns.json": columns,
        "inputs.json": {"inputs": columns},
        "body.json": {"columns": columns},
        "rows.json": {"rows": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]},
        "list.json": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
    }.items():
        (tmp_path / name).write_text(json.dumps(content))
    for path in tmp_path.iterdir():
        assert read_columns(path) == columns, path.name
        assert columns_of(read_rows(path)) == columns, path.name


def test_a_column_that_turns_to_text_late_in_the_file_is_text(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("a\n" + "1\n" * 500 + "x\n")
    assert set(read_columns(tmp_path / "f.csv")["a"]) == {"1", "x"}


def test_a_file_that_is_none_of_these_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f.xlsx").write_text("")
    with pytest.raises(ValueError, match=r"\.csv"):
        read_columns(tmp_path / "f.xlsx")
    (tmp_path / "f.csv").write_text("")
    with pytest.raises(ValueError, match="cannot be read"):
        read_columns(tmp_path / "f.csv")


def test_a_sample_is_sent_as_the_file_it_is_or_as_columns(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "f.parquet")
    (tmp_path / "f.json").write_text('{"inputs": {"a": [1]}, "outputs": {"y": [2]}}')
    (tmp_path / "plain.json").write_text('{"a": [1]}')
    assert sample_part(None) is None
    assert sample_part(tmp_path / "f.parquet") == tmp_path / "f.parquet"
    assert sample_part(str(tmp_path / "f.json")) == tmp_path / "f.json"
    assert sample_part(tmp_path / "plain.json") == b'{"inputs":{"a":[1]}}'
    assert sample_part(pd.DataFrame({"a": [1.0]})) == b'{"inputs":{"a":[1.0]}}'


def test_parameters_of_an_estimator_are_described() -> None:
    found = version_metadata(
        parameters={"C": np.float64(0.5), "seed": np.int64(3), "model": object, "gap": float("nan")},
        training_date=datetime(2026, 1, 2),  # noqa: DTZ001 - as people write it
        tags=None,
    )
    assert found["parameters"] | {"model": ""} == {"C": 0.5, "seed": 3, "model": "", "gap": None}
    assert found["parameters"]["model"].startswith("<class")
    assert datetime.fromisoformat(found["training_date"]).tzinfo is not None
    assert "tags" not in found


def answer(*rows: dict[str, Any]) -> Prediction:
    identity = "0192f7b0-0000-7000-8000-000000000000"
    return Prediction(id=identity, model="o/m", version=1, predictions=list(rows))


def test_a_prediction_is_read_as_what_the_model_is() -> None:
    classified = answer({"label": "a", "probabilities": {"a": 0.9, "b": 0.1}})
    assert (classified.labels, classified.probabilities, len(classified)) == (["a"], [{"a": 0.9, "b": 0.1}], 1)
    assert classified.probability_matrix().tolist() == [[0.9, 0.1]]
    assert classified.to_numpy().tolist() == ["a"]
    assert answer({"value": 1.5}, {"value": 2}).to_numpy().tolist() == [1.5, 2.0]
    assert answer({"values": [1.0, 2.0]}).values.tolist() == [[1.0, 2.0]]
    assert answer({"label": -1, "score": -0.5}).scores.tolist() == [-0.5]
    assert answer({"embedding": [1, 2]}).to_numpy().tolist() == [[1, 2]]


def test_an_output_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="no output 'label'; it has 'value'"):
        _ = answer({"value": 1.5}).labels
    with pytest.raises(ValueError, match="several outputs"):
        answer({"a": 1, "b": 2}).to_numpy()
