"""Exact thresholds for tree models that compare in float64.

LightGBM and HistGradientBoosting test `x <= t` in float64, and put `t` in the middle between two values seen. The
converters write `t` as float32, and a value like 3.9 that lies on the middle then takes the wrong branch, silently.
Version 3 of ONNX's tree operators (ai.onnx.ml) has float64 thresholds; they are put there, and the cast to float32
before the trees is taken out.
"""

from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from argosy.conversion.thresholds import splits_in_double, steps_of, trees_of

TREES = {"TreeEnsembleClassifier", "TreeEnsembleRegressor"}
AS_TENSOR = ("nodes_values", "nodes_hitrates", "base_values", "class_weights", "target_weights")
LEAF = b"LEAF"
Candidates = dict[tuple[int, int, float], float]


def restore_thresholds(proto: onnx.ModelProto, model: Any) -> None:  # noqa: ANN401 - any estimator
    """Write the float64 thresholds of a model into its graph, whose inputs are float64."""
    steps = [step for step in steps_of(model) if splits_in_double(step)]
    nodes = [node for node in proto.graph.node if node.op_type in TREES]
    if len(steps) != 1 or not nodes:
        return
    exact: Candidates = {
        (number, column, float(np.float32(value))): value
        for number, tree in enumerate(trees_of(steps[0]))
        for column, value in tree
    }
    for node in nodes:
        _bypass_cast(proto.graph, node)
        _widen(node, exact)
        _declare_float(proto.graph, node)
    _require_version_3(proto)


def _widen(node: onnx.NodeProto, exact: Candidates) -> None:
    attributes = {attribute.name: attribute for attribute in node.attribute}
    columns = attributes["nodes_featureids"].ints
    trees = attributes["nodes_treeids"].ints
    modes = attributes["nodes_modes"].strings
    for name in AS_TENSOR:
        if name not in attributes:
            continue
        values = np.array(attributes[name].floats, dtype=np.float64)
        if name == "nodes_values":
            for index, value in enumerate(attributes[name].floats):
                if modes[index] != LEAF:
                    values[index] = exact.get((trees[index], columns[index], value), value)
        node.attribute.remove(attributes[name])
        node.attribute.append(onnx.helper.make_attribute(f"{name}_as_tensor", numpy_helper.from_array(values)))


def _declare_float(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    # Whatever the thresholds are, the operators answer in float32.
    names = set(node.output)
    for other in graph.node:
        if other.op_type == "Identity" and other.input[0] in names:
            names.update(other.output)
    for value in (*graph.output, *graph.value_info):
        if value.name in names and value.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE:
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT


def _bypass_cast(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    makers = {name: maker for maker in graph.node for name in maker.output}
    maker = makers.get(node.input[0])
    if maker is None or maker.op_type != "Cast":
        return
    target = next(attribute.i for attribute in maker.attribute if attribute.name == "to")
    if target == onnx.TensorProto.FLOAT:
        node.input[0] = maker.input[0]
        if not any(maker.output[0] in other.input for other in graph.node):
            graph.node.remove(maker)


def _require_version_3(proto: onnx.ModelProto) -> None:
    for opset in proto.opset_import:
        if opset.domain == "ai.onnx.ml":
            opset.version = 3
