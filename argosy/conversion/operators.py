"""What a graph may do that no sample shows: repeat without end, or make tensors as large as an input says."""

from collections.abc import Iterable, Iterator

import onnx

REPEATING = {"Loop", "Scan", "SequenceMap"}
# Operators that make tensors as large as one of their inputs says, with the positions of those inputs.
SIZED = {
    "ConstantOfShape": (0,),
    "Range": (0, 1, 2),
    "Expand": (1,),
    "Tile": (1,),
    "OneHot": (1,),
    "Pad": (1,),
    "CenterCropPad": (1,),
    "Resize": (1, 2, 3),
    "Upsample": (1,),
    "AffineGrid": (1,),
    "MaxUnpool": (2,),
    "Col2Im": (1,),
    "HannWindow": (0,),
    "HammingWindow": (0,),
    "BlackmanWindow": (0,),
    "MelWeightMatrix": (0, 1),
    "DFT": (1,),
    "STFT": (1, 3),
}
# What they answer depends on how large their input is, not on its numbers.
MEASURING = {"Shape", "Size"}


def repeats(proto: onnx.ModelProto) -> bool:
    """Tell whether a model has a loop anywhere: in its graph, in the graphs within it, or in a function."""
    nodes = [*_nodes(proto.graph.node), *(node for one in proto.functions for node in _nodes(one.node))]
    return any(node.op_type in REPEATING for node in nodes)


def grows(proto: onnx.ModelProto) -> bool:
    """Tell whether numbers of the input decide how large a tensor is; functions that size any are taken to."""
    if any(node.op_type in SIZED for one in proto.functions for node in _nodes(one.node)):
        return True
    filled = {tensor.name for tensor in proto.graph.initializer}
    return _grows(proto.graph, {value.name for value in proto.graph.input} - filled)


def _nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for graph in _graphs(node):
            yield from _nodes(graph.node)


def _graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _grows(graph: onnx.GraphProto, given: set[str]) -> bool:
    """Follow what comes of the values `given`, which is added to; nodes are in the order in which they run."""
    for node in graph.node:
        sizing = [node.input[at] for at in SIZED.get(node.op_type, ()) if at < len(node.input)]
        if given.intersection(sizing):
            return True
        within = list(_graphs(node))
        inner = [set(given) for _ in within]
        if any(_grows(one, names) for one, names in zip(within, inner, strict=True)):
            return True
        told = any(value.name in names for one, names in zip(within, inner, strict=True) for value in one.output)
        if told or (node.op_type not in MEASURING and given.intersection(node.input)):
            given.update(node.output)
    return False
