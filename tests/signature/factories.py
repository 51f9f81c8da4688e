"""Signatures to test with, and requests in the three forms."""

import json
from typing import Any

from argosy.signature.compiled import CompiledSignature
from argosy.signature.errors import InvalidInput
from argosy.signature.spec import DType, Feature, Output, Role, Signature, Task, Tensor


def feature(name: str, dtype: str = "float32", **options: Any) -> Feature:
    return Feature(**{"name": name, "dtype": DType(dtype), "tensor": name, **options})


def signature(*features: Feature, tensors: list[Tensor] | None = None, **options: Any) -> Signature:
    """Return a signature of features that are tensors of their own, unless tensors are given."""
    own = [Tensor(name=one.tensor, dtype=one.dtype, shape=[None, *(one.shape or [1])]) for one in features]
    outputs = [Output(name="value", dtype=DType.FLOAT32, role=Role.VALUE, tensor="out")]
    return Signature(
        **{"task": Task.REGRESSION, "inputs": features, "outputs": outputs, "tensors": tensors or own} | options
    )


def compiled(*features: Feature, **options: Any) -> CompiledSignature:
    return CompiledSignature(signature(*features, **options))


def flowers(**options: Any) -> CompiledSignature:
    """Return the signature of a small classifier over one matrix."""
    names = ["sepal_length", "sepal_width"]
    features = [feature(name, tensor="X", index=index) for index, name in enumerate(names)]
    outputs = [
        Output(name="label", dtype=DType.STRING, role=Role.LABEL, tensor="label"),
        Output(name="probabilities", dtype=DType.FLOAT32, shape=[2], role=Role.PROBABILITIES, tensor="p"),
    ]
    tensors = [Tensor(name="X", dtype=DType.FLOAT32, shape=[None, 2])]
    given = {"task": Task.CLASSIFICATION, "outputs": outputs, "classes": ["setosa", "virginica"], "tensors": tensors}
    return compiled(*features, **given | options)


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


def forms(names: list[str], rows: list[list[Any]]) -> dict[str, bytes]:
    """Return the same rows in the three forms of a request."""
    return {
        "rows": body({"rows": [dict(zip(names, row, strict=True)) for row in rows]}),
        "columns": body({"columns": {name: [row[at] for row in rows] for at, name in enumerate(names)}}),
        "data": body({"data": rows}),
    }


def refusal(signature: CompiledSignature, content: bytes | dict[str, Any], *, max_rows: int = 1000) -> InvalidInput:
    """Return why a request is refused."""
    try:
        signature.parse(content if isinstance(content, bytes) else body(content), max_rows=max_rows)
    except InvalidInput as error:
        return error
    raise AssertionError("it was accepted")
