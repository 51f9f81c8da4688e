"""Outputs of a graph as predictions, by task."""

from typing import Any

import numpy as np
import pytest

from argosy.signature.compiled import CompiledSignature
from argosy.signature.spec import DType, Feature, Output, Role, Signature, Task, Tensor

INPUTS = [Feature(name="x", dtype=DType.FLOAT32, tensor="X", index=0)]
TENSORS = [Tensor(name="X", dtype=DType.FLOAT32, shape=[None, 1])]


def compiled(task: Task, outputs: list[Output], **fields: Any) -> CompiledSignature:
    return CompiledSignature(Signature(task=task, inputs=INPUTS, outputs=outputs, tensors=TENSORS, **fields))


def label(dtype: DType = DType.INT64) -> Output:
    return Output(name="label", dtype=dtype, role=Role.LABEL, tensor="label")


def probabilities() -> Output:
    return Output(name="probabilities", dtype=DType.FLOAT32, shape=[2], role=Role.PROBABILITIES, tensor="p")


def test_a_classifier_names_its_classes() -> None:
    signature = compiled(Task.CLASSIFICATION, [label(DType.STRING), probabilities()], classes=["no", "yes"])
    outputs = {"label": np.array(["yes", "no"], dtype=object), "p": np.array([[0.25, 0.75], [0.5, 0.5]])}
    assert signature.encode(outputs, 2) == [
        {"label": "yes", "probabilities": {"no": 0.25, "yes": 0.75}},
        {"label": "no", "probabilities": {"no": 0.5, "yes": 0.5}},
    ]


def test_one_column_of_a_binary_model_is_the_second_class() -> None:
    signature = compiled(Task.CLASSIFICATION, [label(), probabilities()], classes=[0, 1])
    outputs = {"label": np.array([1]), "p": np.array([[0.75]])}
    assert signature.encode(outputs, 1) == [{"label": 1, "probabilities": {"0": 0.25, "1": 0.75}}]


def test_boolean_classes_come_back_as_booleans() -> None:
    signature = compiled(Task.CLASSIFICATION, [label(), probabilities()], classes=[False, True])
    outputs = {"label": np.array([1, 0]), "p": np.array([[0.25, 0.75], [1, 0]])}
    assert signature.encode(outputs, 2)[0] == {"label": True, "probabilities": {"false": 0.25, "true": 0.75}}


@pytest.mark.parametrize(
    ("shape", "values", "expected"), [([], [[1.5]], {"value": 1.5}), ([2], [[1.5, 2]], {"values": [1.5, 2]})]
)
def test_a_regressor_answers_a_value_or_several(shape: list[int | None], values: Any, expected: Any) -> None:
    output = Output(name="value", dtype=DType.FLOAT32, shape=shape, role=Role.VALUE, tensor="v")
    assert compiled(Task.REGRESSION, [output]).encode({"v": np.array(values)}, 1) == [expected]


def test_a_clusterer_and_an_outlier_detector() -> None:
    assert compiled(Task.CLUSTERING, [label()]).encode({"label": np.array([3])}, 1) == [{"label": 3}]
    score = Output(name="score", dtype=DType.FLOAT32, role=Role.SCORE, tensor="s")
    found = compiled(Task.OUTLIER_DETECTION, [label(), score])
    outputs = {"label": np.array([[-1]]), "s": np.array([[-0.5]], dtype=np.float32)}
    assert found.encode(outputs, 1) == [{"label": -1, "score": -0.5}]


def test_what_json_lacks_becomes_null() -> None:
    output = Output(name="y", dtype=DType.FLOAT32, shape=[2], tensor="y")
    signature = compiled(Task.OTHER, [output])
    assert signature.encode({"y": np.array([[np.nan, 1.0]])}, 1) == [{"y": [None, 1.0]}]
    assert signature.encode({"y": np.array([[np.inf, -np.inf]])}, 1) == [{"y": [None, None]}]


def test_a_graph_without_a_batch_takes_one_row() -> None:
    signature = CompiledSignature(
        Signature(
            inputs=[
                Feature(name="audio", dtype=DType.FLOAT32, shape=[3], tensor="audio"),
                Feature(name="rate", dtype=DType.INT64, tensor="rate"),
            ],
            outputs=[Output(name="y", dtype=DType.STRING, shape=[1], tensor="y")],
            tensors=[
                Tensor(name="audio", dtype=DType.FLOAT32, shape=[3]),
                Tensor(name="rate", dtype=DType.INT64, shape=[]),
            ],
            batched=False,
        )
    )
    batch = signature.parse(b'{"rows": [{"audio": [1, 2, 3], "rate": 8000}]}', max_rows=10)
    assert batch.tensors["audio"].shape == (3,)
    assert batch.tensors["rate"].shape == ()
    assert signature.encode({"y": np.array([b"hi"])}, 1) == [{"y": ["hi"]}]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"inputs": [*INPUTS, *INPUTS]}, "feature names repeat: x"),
        ({"inputs": [Feature(name="x", dtype=DType.FLOAT32, tensor="Y", index=0)]}, "which the model lacks"),
        ({"inputs": [Feature(name="x", dtype=DType.FLOAT32, tensor="X", index=1)]}, "columns 0..n-1"),
        ({"tensors": [*TENSORS, *TENSORS]}, "two tensors have the same name"),
        ({"outputs": [probabilities()]}, "probabilities need the names of the classes"),
    ],
)
def test_a_signature_that_contradicts_itself_is_refused(changes: dict[str, Any], reason: str) -> None:
    fields: dict[str, Any] = {"inputs": INPUTS, "outputs": [label()], "tensors": TENSORS}
    with pytest.raises(ValueError, match=reason):
        Signature(**(fields | changes))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"minimum": 2, "maximum": 1}, "minimum 2.0 is above maximum 1.0"),
        ({"dtype": DType.INT64, "nullable": True}, "has no value for null"),
        ({"shape": [2], "index": 0}, "a column of a tensor is a scalar"),
    ],
)
def test_a_feature_that_contradicts_itself_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Feature(**({"name": "x", "dtype": DType.FLOAT32, "tensor": "X"} | fields))
