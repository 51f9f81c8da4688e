"""Outputs of a model to predictions."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic_core import to_json

from argosy.signature.compiled import CompiledSignature
from argosy.signature.spec import DType, Output, Role, Task
from tests.signature.factories import compiled, feature, flowers


def output(
    name: str, role: Role = Role.TENSOR, dtype: str = "float32", shape: list[int | None] | None = None
) -> Output:
    return Output(name=name, dtype=DType(dtype), shape=shape or [], role=role, tensor=name)


def model(task: Task, *outputs: Output, **options: Any) -> CompiledSignature:
    return compiled(feature("x"), task=task, outputs=list(outputs), **options)


def classifier(classes: list[Any], dtype: str = "int64", shape: list[int | None] | None = None) -> CompiledSignature:
    label, probabilities = (
        output("l", Role.LABEL, dtype),
        output("p", Role.PROBABILITIES, shape=shape or [len(classes)]),
    )
    return model(Task.CLASSIFICATION, label, probabilities, classes=classes)


def encode(signature: CompiledSignature, **outputs: Any) -> list[dict[str, Any]]:
    arrays: dict[str, NDArray[Any]] = {name: np.asarray(value) for name, value in outputs.items()}
    rows = len(next(iter(arrays.values())))
    predictions: list[dict[str, Any]] = [*signature.encode(arrays, rows)]
    assert b"[%b]" % b",".join(signature.encode_json(arrays, rows)) == to_json(predictions)
    json.dumps(predictions, allow_nan=False)
    return predictions


def test_a_classifier_answers_its_label_and_a_probability_for_each_class() -> None:
    outputs = {"label": np.array(["setosa"], dtype=object), "p": np.array([[0.75, 0.25]], dtype=np.float32)}
    assert flowers().encode(outputs, 1) == [{"label": "setosa", "probabilities": {"setosa": 0.75, "virginica": 0.25}}]


LABELS: dict[str, tuple[list[Any], Any, Any]] = {
    "integers that are values, not positions": ([10, 20], [20], 20),
    "booleans that come as integers": ([False, True], [1], True),
    "booleans that come as text": ([False, True], np.array(["False"], dtype=object), False),
    "floats that come as integers": ([0.0, 1.0], [1], 1.0),
    "text that comes as integers": (["0", "1"], [1], "1"),
    "integers in a column": ([3, 7], [[7]], 7),
    "text as bytes": (["a", "b"], np.array([b"b"], dtype=object), "b"),
    "text of NumPy's own type": (["a", "b"], ["b"], "b"),
    "text that differs in case": (["a", "A"], ["A"], "A"),
    "a class that is not listed": (["a", "b"], ["c"], "c"),
}


@pytest.mark.parametrize(("classes", "labels", "told"), LABELS.values(), ids=LABELS)
def test_a_label_is_the_class_in_its_own_type(classes: list[Any], labels: Any, told: Any) -> None:
    label = encode(classifier(classes), l=labels, p=[[0.5, 0.5]])[0]["label"]
    assert (type(label), label) == (type(told), told)


@pytest.mark.parametrize(("classes", "names"), [([1, 2], ["1", "2"]), ([False, True], ["false", "true"])])
def test_classes_are_named_as_json_writes_them(classes: list[Any], names: list[str]) -> None:
    assert list(encode(classifier(classes), l=[1], p=[[0.5, 0.5]])[0]["probabilities"]) == names


@pytest.mark.parametrize("probabilities", [[0.25], [[0.25]]])
def test_a_single_column_is_the_probability_of_the_second_class(probabilities: Any) -> None:
    told = encode(classifier(["no", "yes"], shape=[1]), l=[0], p=probabilities)
    assert told[0]["probabilities"] == {"no": 0.75, "yes": 0.25}


def test_another_number_of_probabilities_than_classes_is_an_error() -> None:
    with pytest.raises(ValueError, match="2 classes"):
        encode(classifier(["no", "yes"]), l=[0], p=[[0.2, 0.3, 0.5]])


def test_several_labels_a_row_are_a_list() -> None:
    several = model(Task.CLASSIFICATION, output("l", Role.LABEL, "int64", [2]))
    assert encode(several, l=[[0, 1], [1, 1]]) == [{"label": [0, 1]}, {"label": [1, 1]}]


@pytest.mark.parametrize("values", [[1.5, 2.5], [[1.5], [2.5]]])
def test_a_regressor_answers_its_value(values: Any) -> None:
    assert encode(model(Task.REGRESSION, output("y", Role.VALUE, shape=[1])), y=values) == [
        {"value": 1.5},
        {"value": 2.5},
    ]


def test_a_regressor_of_several_targets_answers_its_values() -> None:
    assert encode(model(Task.REGRESSION, output("y", Role.VALUE, shape=[2])), y=[[1, 2]]) == [{"values": [1, 2]}]


def test_a_clusterer_answers_its_label_and_what_else_it_says_by_name() -> None:
    clusterer = model(Task.CLUSTERING, output("cluster", Role.LABEL, "int64"), output("distances", shape=[2]))
    assert encode(clusterer, cluster=[1], distances=[[0.5, 0.25]]) == [{"label": 1, "distances": [0.5, 0.25]}]


def test_an_outlier_detector_answers_label_and_score() -> None:
    detector = model(Task.OUTLIER_DETECTION, output("l", Role.LABEL, "int64"), output("s", Role.SCORE, shape=[1]))
    assert encode(detector, l=[-1], s=[[0.5]]) == [{"label": -1, "score": 0.5}]


def test_any_other_model_answers_its_outputs_by_name() -> None:
    other = model(Task.OTHER, output("embedding", shape=[2, 2]), output("tokens", dtype="string"))
    told = encode(other, embedding=[[[1.0, 2.0], [3.0, 4.0]]], tokens=np.array(["a"], dtype=object))
    assert told == [{"embedding": [[1, 2], [3, 4]], "tokens": "a"}]


def test_no_output_is_lost_when_names_meet() -> None:
    outputs = [output("a", Role.VALUE), output("value"), output("b", Role.VALUE)]
    assert encode(model(Task.REGRESSION, *outputs), a=[1], value=[2], b=[3]) == [{"value": 1, "value_2": 2, "b": 3}]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_json_lacks_is_null(value: float) -> None:
    assert encode(model(Task.REGRESSION, output("y", Role.VALUE)), y=[value, 1.0]) == [{"value": None}, {"value": 1.0}]
    assert encode(model(Task.OTHER, output("y", shape=[2])), y=[[value, 1.0]]) == [{"y": [None, 1.0]}]
    assert encode(model(Task.OTHER, output("y")), y=np.array([value], dtype=object)) == [{"y": None}]


def test_a_model_without_a_batch_answers_its_tensors_whole() -> None:
    whole = compiled(feature("x", shape=[2]), task=Task.OTHER, outputs=[output("y", shape=[2])], batched=False)
    assert whole.encode({"y": np.array([1.0, 2.0])}, 1) == [{"y": [1, 2]}]


def test_an_answer_of_another_number_of_rows_is_an_error() -> None:
    with pytest.raises(ValueError, match="not of 3 rows"):
        model(Task.REGRESSION, output("y", Role.VALUE)).encode({"y": np.array([1.0, 2.0])}, 3)


@pytest.mark.parametrize("dtype", [dtype.value for dtype in DType if dtype is not DType.STRING])
def test_every_type_becomes_plain_python(dtype: str) -> None:
    value = encode(model(Task.OTHER, output("y", dtype=dtype)), y=np.ones(1, dtype=dtype))[0]["y"]
    assert type(value) in {bool, int, float}
