"""What is found out about a model before it is served."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from argosy.conversion import operators
from argosy.conversion.facts import Facts
from argosy.conversion.graph import describe
from argosy.conversion.measure import measure
from tests.support.models import linear_classifier, model_of, patient, sums

MIB = 2**20


def value(name: str, kind: int, shape: list[int | None]) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


X, Y = value("x", TensorProto.FLOAT, [None, 4]), value("y", TensorProto.FLOAT, [None, 4])


def measured(content: bytes) -> Facts:
    return measure(content, describe(onnx.load_from_string(content), None, None), [])


def test_a_light_model_is_known_as_one() -> None:
    for content in (linear_classifier(), sums()):
        facts = measured(content)
        assert not facts.repeats
        assert facts.is_light(64 * MIB)
        assert facts.peak_bytes is not None
        assert 0 <= facts.peak_bytes < 256 * MIB
        assert (facts.batch_seconds or 9) < 1


def test_a_loop_is_found_wherever_it_hides() -> None:
    plain = onnx.load_from_string(patient())
    assert operators.repeats(plain)
    within = helper.make_graph(list(plain.graph.node), "within", [], list(plain.graph.output), plain.graph.initializer)
    condition = numpy_helper.from_array(np.array(True), "c")
    chosen = helper.make_node("If", ["c"], ["out"], then_branch=within, else_branch=within)
    turns, out = value("turns", TensorProto.INT64, [None, 1]), value("out", TensorProto.INT64, [None, 1])
    nested = helper.make_model(helper.make_graph([chosen], "g", [turns], [out], [condition]))
    assert operators.repeats(nested)
    opsets = [helper.make_opsetid("", 18)]
    function = helper.make_function("own", "Counts", ["turns"], ["told"], list(plain.graph.node), opsets)
    call = helper.make_node("Counts", ["turns"], ["out"], domain="own")
    called = helper.make_model(helper.make_graph([call], "g", [turns], [out]), functions=[function])
    assert operators.repeats(called)
    assert not measured(patient()).is_light(2**40)


@pytest.mark.parametrize("by_number", [True, False])
def test_tensors_as_large_as_a_number_of_the_input_are_told_from_those_as_large_as_the_input(by_number: bool) -> None:
    sizing = "Identity" if by_number else "Shape"
    nodes = [
        helper.make_node("Cast", ["x"], ["whole"], to=TensorProto.INT64),
        helper.make_node(sizing, ["whole"], ["size"]),
        helper.make_node("Reshape", ["size", "all"], ["flat"]),
        helper.make_node("ConstantOfShape", ["flat"], ["made"]),
        helper.make_node("Add", ["x", "made"], ["y"]),
    ]
    made = helper.make_graph(nodes, "g", [X], [Y], [numpy_helper.from_array(np.array([-1]), "all")])
    proto = onnx.load_from_string(model_of(made))
    assert operators.grows(proto) is by_number


def test_the_memory_of_a_batch_is_measured() -> None:
    wide = numpy_helper.from_array(np.ones((4, 250_000), np.float32), "w")
    back = numpy_helper.from_array(np.ones((250_000, 4), np.float32), "v")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["wide"]), helper.make_node("MatMul", ["wide", "v"], ["y"])]
    facts = measured(model_of(helper.make_graph(nodes, "g", [X], [Y], [wide, back])))
    assert facts.batch_bytes is not None
    assert facts.run_bytes is not None
    assert 200 * MIB < facts.batch_bytes < 600 * MIB, "256 rows of 250,000 numbers"
    assert facts.run_bytes < facts.batch_bytes / 5
    assert facts.is_light(2**30)
    assert not facts.is_light(128 * MIB)


def test_what_could_not_be_measured_is_not_light() -> None:
    refuses = helper.make_node("Gather", ["table", "x"], ["y"])
    table = numpy_helper.from_array(np.ones(1, np.float32), "table")
    x, y = value("x", TensorProto.INT64, [None]), value("y", TensorProto.FLOAT, [None])
    facts = measured(model_of(helper.make_graph([refuses], "g", [x], [y], [table])))
    assert facts.batch_bytes is None
    assert not facts.is_light(2**40)
