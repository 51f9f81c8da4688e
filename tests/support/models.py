"""Small ONNX models made by hand, and how a test pushes one."""

import asyncio
import json
from typing import Any

import httpx2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnxruntime import RunOptions

from argosy.serving.runtime import OnnxRuntime, Outputs, Tensors
from tests.support.callers import Caller

FEATURES = ["width", "height"]
CLASSES = ["small", "large"]


def linear_classifier() -> bytes:
    """P(large) = sigmoid(width + height - 2), over float32 inputs of shape (rows, 2)."""
    node = helper.make_node(
        "LinearClassifier",
        ["X"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        coefficients=[-1.0, -1.0, 1.0, 1.0],
        intercepts=[2.0, -2.0],
        classlabels_strings=CLASSES,
        post_transform="SOFTMAX",
        multi_class=0,
    )
    graph = helper.make_graph(
        [node],
        "linear",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 2])],
        [
            helper.make_tensor_value_info("label", TensorProto.STRING, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2]),
        ],
    )
    return model_of(graph)


def sums(weight: float = 1.0) -> bytes:
    """Total = weight * (a + b), over two float64 inputs of shape (rows, 1); `kind` is an unused text input."""
    constant = helper.make_tensor("weight", TensorProto.DOUBLE, [1], [weight])
    nodes = [helper.make_node("Add", ["a", "b"], ["plain"]), helper.make_node("Mul", ["plain", "weight"], ["total"])]
    graph = helper.make_graph(
        nodes,
        "sums",
        [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 1]) for name in ("a", "b")],
        [helper.make_tensor_value_info("total", TensorProto.DOUBLE, [None, 1])],
        [constant],
    )
    return model_of(graph)


def patient(most: int = 3_000_000) -> bytes:
    """Counts to the largest of its rows, `most` at most, and answers with it: the larger, the later."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["still"]), helper.make_node("Add", ["held", "one"], ["more"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("held", TensorProto.INT64, []),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("more", TensorProto.INT64, []),
        ],
        [helper.make_tensor("one", TensorProto.INT64, [], [1])],
    )
    constants = [
        helper.make_tensor(name, TensorProto.INT64, [], [value]) for name, value in (("zero", 0), ("most", most))
    ]
    nodes = [
        helper.make_node("ReduceMax", ["turns"], ["largest"], keepdims=0),
        helper.make_node("Clip", ["largest", "zero", "most"], ["bounded"]),
        helper.make_node("Loop", ["bounded", "", "zero"], ["counted"], body=body),
        helper.make_node("Sub", ["counted", "bounded"], ["nothing"]),
        helper.make_node("Add", ["turns", "nothing"], ["told"]),
    ]
    turns, told = (helper.make_tensor_value_info(name, TensorProto.INT64, [None, 1]) for name in ("turns", "told"))
    return model_of(helper.make_graph(nodes, "patient", [turns], [told], constants))


def echo() -> bytes:
    """Said = text, over texts of shape (rows, 1)."""
    node = helper.make_node("Identity", ["text"], ["said"])
    shown = [helper.make_tensor_value_info(name, TensorProto.STRING, [None, 1]) for name in ("text", "said")]
    return model_of(helper.make_graph([node], "echo", shown[:1], shown[1:]))


def model_of(graph: Any) -> bytes:
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def classifier_sample() -> dict[str, Any]:
    """Inputs with the right answers."""
    rows = np.array([[0.1, 0.2], [3.0, 4.0], [1.0, 0.5]], dtype=np.float32)
    large = 1 / (1 + np.exp(-2 * (rows.sum(axis=1) - 2)))
    return {
        "inputs": {"width": rows[:, 0].tolist(), "height": rows[:, 1].tolist()},
        "outputs": {
            "label": [CLASSES[int(value > 0.5)] for value in large],
            "probabilities": np.stack([1 - large, large], axis=1).tolist(),
        },
    }


async def upload(
    caller: Caller,
    name: str,
    artifact: bytes,
    sample: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    **metadata: Any,
) -> httpx2.Response:
    files: dict[str, Any] = {"artifact": ("model.onnx", artifact, "application/octet-stream")}
    if sample is not None:
        files["sample"] = ("sample.json", json.dumps(sample), "application/json")
    return await caller.post(
        f"/models/{caller.username}/{name}/versions",
        files=files,
        data={"metadata": json.dumps(metadata)},
        headers=headers or {},
    )


async def settled(caller: Caller, name: str, number: int = 1, seconds: float = 60) -> dict[str, Any]:
    version: dict[str, Any] = {}
    for _ in range(int(seconds * 20)):
        response = await caller.get(f"/models/{caller.username}/{name}/versions/{number}")
        version = response.json()
        if version["status"] in {"ready", "failed"}:
            return version
        await asyncio.sleep(0.05)
    raise AssertionError(f"version {number} of {name} is still {version['status']}")


async def pushed(caller: Caller, name: str = "sizes", **metadata: Any) -> dict[str, Any]:
    """Make a model with a ready version."""
    made = await caller.post("/models", json={"name": name})
    assert made.status_code in {201, 409}, made.text
    response = await upload(caller, name, linear_classifier(), classifier_sample(), **metadata)
    assert response.status_code == 202, response.text
    version = await settled(caller, name, response.json()["version"])
    assert version["status"] == "ready", version["error"]
    return version


def sizes_of_runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each run of a model has, from now on."""
    runs: list[int] = []
    run = OnnxRuntime.run

    def counted(runtime: OnnxRuntime, tensors: Tensors, rows: int, cancel: RunOptions | None = None) -> Outputs:
        runs.append(rows)
        return run(runtime, tensors, rows, cancel)

    monkeypatch.setattr(OnnxRuntime, "run", counted)
    return runs
