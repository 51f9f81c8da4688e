"""ONNX's type descriptions as the signature's."""

import onnx

from argosy.conversion.errors import ConversionError
from argosy.signature.spec import DType, Tensor

_TYPES = onnx.TensorProto
ELEMENT_TYPES: dict[int, DType] = {
    _TYPES.FLOAT16: DType.FLOAT16,
    _TYPES.FLOAT: DType.FLOAT32,
    _TYPES.DOUBLE: DType.FLOAT64,
    _TYPES.INT8: DType.INT8,
    _TYPES.INT16: DType.INT16,
    _TYPES.INT32: DType.INT32,
    _TYPES.INT64: DType.INT64,
    _TYPES.UINT8: DType.UINT8,
    _TYPES.UINT16: DType.UINT16,
    _TYPES.UINT32: DType.UINT32,
    _TYPES.UINT64: DType.UINT64,
    _TYPES.BOOL: DType.BOOL,
    _TYPES.STRING: DType.STRING,
}


def tensor_of(value: onnx.ValueInfoProto) -> Tensor:
    """Return a graph input or output as a tensor; raises `ConversionError` for what is none, or of another type."""
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type" or value.type.tensor_type.elem_type not in ELEMENT_TYPES:
        raise ConversionError(
            "onnx-types",
            f"{value.name!r} is no tensor of a type that can be served ({kind})",
            "export the model with plain tensors as inputs and outputs (for scikit-learn: zipmap=False)",
        )
    shape = [
        dimension.dim_value if dimension.HasField("dim_value") and dimension.dim_value > 0 else None
        for dimension in value.type.tensor_type.shape.dim
    ]
    return Tensor(name=value.name, dtype=ELEMENT_TYPES[value.type.tensor_type.elem_type], shape=shape)
