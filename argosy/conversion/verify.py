"""The gate: an ONNX model is safe to load, fits its signature, and answers as the original did."""

from dataclasses import dataclass
from pathlib import Path

import onnx

from argosy.conversion import graph
from argosy.conversion.errors import ConversionError
from argosy.conversion.evidence import Evidence
from argosy.conversion.report import ParityReport
from argosy.conversion.run import check, open_session
from argosy.signature.spec import Signature


@dataclass(frozen=True, slots=True)
class Verification:
    """What the gate found: the signature, the report, and the model as it will be served."""

    signature: Signature
    report: ParityReport
    onnx: bytes


def verify(path: Path, signature: Signature | None, evidence: list[Evidence]) -> Verification:
    """Check an ONNX file against its signature, or derive that, and run it on all evidence.

    Raises `ConversionError` when it is unsafe, cannot be loaded, or does not fit the signature. Whether the answers
    agree is in the report.
    """
    proto = graph.read_graph(path)
    classes = graph.classes_of(proto)
    changed = graph.strip_zipmap(proto)
    if signature is None:
        signature = graph.describe(proto, classes, evidence[0] if evidence else None)
    else:
        _require_fit(signature, proto)
    content: bytes = proto.SerializeToString() if changed else path.read_bytes()
    session = open_session(content)
    report = check(session, signature, evidence)
    return Verification(signature, report, content)


def _require_fit(signature: Signature, proto: onnx.ModelProto) -> None:
    inputs = {tensor.name: tensor for tensor in graph.graph_inputs(proto)}
    declared = {tensor.name: tensor for tensor in signature.tensors}
    for name in sorted(inputs.keys() ^ declared.keys()):
        problem = "the signature does not name the input" if name in inputs else "the model has no input"
        raise ConversionError("signature-mismatch", f"{problem} {name!r}", "leave the signature out to derive it")
    for name, tensor in inputs.items():
        given = declared[name]
        if given.dtype is not tensor.dtype or len(given.shape) != len(tensor.shape):
            raise ConversionError(
                "signature-mismatch",
                f"the input {name!r} is {tensor.dtype}{tensor.shape}, not {given.dtype}{given.shape}",
                "leave the signature out to derive it",
            )
    missing = sorted({output.tensor for output in signature.outputs} - {value.name for value in proto.graph.output})
    if missing:
        raise ConversionError("signature-mismatch", f"the model has no output {missing[0]!r}")
