"""What an ONNX file holds: refused where it is unsafe, and described where the upload does not say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx

from argosy.conversion.errors import ConversionError
from argosy.conversion.evidence import Evidence
from argosy.conversion.tensors import tensor_of
from argosy.signature.spec import DType, Feature, Output, Role, Scalar, Signature, Task, Tensor

CLASS_ATTRIBUTES = ("classlabels_int64s", "classlabels_strings", "classlabels_ints")
SCALAR_COLUMNS = 2
MAX_NAMED_COLUMNS = 20_000


def read_graph(path: Path) -> onnx.ModelProto:
    """Read and check an ONNX file, without anything it may point at.

    Raises `ConversionError` when it is no ONNX model, or keeps tensors in other files: ONNX Runtime would read those
    from the server's folders, whatever they are.
    """
    try:
        proto = onnx.load_model(path, load_external_data=False)
        points_elsewhere = any(
            tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data for tensor in _tensors(proto)
        )
        if not points_elsewhere:
            onnx.checker.check_model(proto)
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise ConversionError("onnx-invalid", f"the file is no valid ONNX model: {reason}") from error
    if points_elsewhere:
        raise _external()
    return proto


def _external() -> ConversionError:
    return ConversionError(
        "onnx-external-data",
        "the model keeps its weights in other files",
        "save it as one file: onnx.save_model(model, path, save_as_external_data=False)",
    )


def _tensors(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from _graph_tensors(proto.graph)
    for function in proto.functions:
        for node in function.node:
            yield from _node_tensors(node)


def _graph_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    for node in graph.node:
        yield from _node_tensors(node)


def _node_tensors(node: onnx.NodeProto) -> Iterator[onnx.TensorProto]:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        if attribute.HasField("sparse_tensor"):
            yield attribute.sparse_tensor.values
            yield attribute.sparse_tensor.indices
        if attribute.HasField("g"):
            yield from _graph_tensors(attribute.g)
        for graph in attribute.graphs:
            yield from _graph_tensors(graph)


def strip_zipmap(proto: onnx.ModelProto) -> bool:
    """Replace dictionaries of probabilities by the tensor they are made from; tell whether there were any."""
    outputs = {value.name: value for value in proto.graph.output}
    found = [node for node in proto.graph.node if node.op_type == "ZipMap" and node.output[0] in outputs]
    for node in found:
        value = outputs[node.output[0]]
        value.CopyFrom(onnx.helper.make_tensor_value_info(node.input[0], onnx.TensorProto.FLOAT, [None, None]))
        proto.graph.node.remove(node)
    return bool(found)


def graph_inputs(proto: onnx.ModelProto) -> list[Tensor]:
    """Return the inputs a caller has to give: those that no initializer fills."""
    filled = {tensor.name for tensor in proto.graph.initializer}
    return [tensor_of(value) for value in proto.graph.input if value.name not in filled]


def classes_of(proto: onnx.ModelProto) -> list[Scalar] | None:
    """Return the class names that the graph's classifier writes down."""
    for node in reversed(proto.graph.node):
        for attribute in node.attribute:
            if attribute.name in CLASS_ATTRIBUTES and (attribute.ints or attribute.strings):
                return [*attribute.ints] or [text.decode() for text in attribute.strings]
    return None


def describe(proto: onnx.ModelProto, classes: list[Scalar] | None, sample: Evidence | None) -> Signature:
    """Return the signature of a graph; the sample names its columns and shows their ranges."""
    tensors = graph_inputs(proto)
    batched = all(tensor.shape and tensor.shape[0] is None for tensor in tensors)
    features = [feature for tensor in tensors for feature in _features(tensor, sample, batched=batched)]
    task, outputs = _outputs([tensor_of(value) for value in proto.graph.output], classes, batched=batched)
    return Signature(
        task=task,
        inputs=features,
        outputs=outputs,
        tensors=tensors,
        classes=classes if task is Task.CLASSIFICATION else None,
        batched=batched,
    )


def _features(tensor: Tensor, sample: Evidence | None, *, batched: bool) -> list[Feature]:
    shape = tensor.shape[1:] if batched else tensor.shape
    given = sample.inputs if sample else {}
    is_matrix = batched and len(tensor.shape) == SCALAR_COLUMNS and shape != [1]
    if is_matrix and tensor.name not in given and given:
        width = shape[0] or len(given)
        names = list(given)
        if len(names) != width:
            raise ConversionError(
                "sample-columns", f"the model's input {tensor.name!r} has {width} columns, the sample {len(names)}"
            )
        return [_scalar(name, tensor, index, given[name]) for index, name in enumerate(names)]
    if shape in ([], [1]):
        return [_scalar(tensor.name, tensor, None, given.get(tensor.name, []))]
    return [Feature(name=tensor.name, dtype=tensor.dtype, shape=shape, tensor=tensor.name)]


def _scalar(name: str, tensor: Tensor, index: int | None, values: list[Any]) -> Feature:
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    seen = numbers if tensor.dtype.is_float or tensor.dtype.is_integer else []
    example = next((value for value in values if isinstance(value, bool | int | float | str)), None)
    return Feature(
        name=name,
        dtype=tensor.dtype,
        nullable=tensor.dtype.is_float and None in values,
        seen_minimum=min(seen, default=None),
        seen_maximum=max(seen, default=None),
        example=example,
        tensor=tensor.name,
        index=index,
    )


def _outputs(tensors: list[Tensor], classes: list[Scalar] | None, *, batched: bool) -> tuple[Task, list[Output]]:
    if batched and classes and _is_classifier(tensors):
        label, probabilities = tensors[0], tensors[1]
        return Task.CLASSIFICATION, [
            Output(name="label", dtype=label.dtype, role=Role.LABEL, tensor=label.name),
            Output(
                name="probabilities",
                dtype=probabilities.dtype,
                shape=[len(classes)],
                role=Role.PROBABILITIES,
                tensor=probabilities.name,
            ),
        ]
    outputs = [
        Output(
            name=tensor.name,
            dtype=tensor.dtype,
            shape=tensor.shape[1:] if batched else tensor.shape,
            tensor=tensor.name,
        )
        for tensor in tensors
    ]
    return Task.OTHER, outputs


def _is_classifier(tensors: list[Tensor]) -> bool:
    if len(tensors) != SCALAR_COLUMNS:
        return False
    label, probabilities = tensors
    return (
        (label.dtype is DType.STRING or label.dtype.is_integer)
        and len(label.shape) == 1
        and probabilities.dtype.is_float
        and len(probabilities.shape) == SCALAR_COLUMNS
    )
