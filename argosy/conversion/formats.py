"""What kind of file an upload is, told from its content; the server takes ONNX and skops."""

import zipfile
from enum import StrEnum
from typing import BinaryIO

HEAD_BYTES = 4096
MAX_MEMBERS = 1000
_PICKLE_OPCODES = b"}]()cNKUXBGIJMLV\x8c\x94\x95q"


class Format(StrEnum):
    """Kinds of model files."""

    ONNX = "onnx"
    SKOPS = "skops"
    PICKLE = "pickle"
    JOBLIB = "joblib"
    TORCH = "torch"
    XGBOOST_JSON = "xgboost-json"
    XGBOOST_UBJ = "xgboost-ubj"
    LIGHTGBM = "lightgbm"
    SAFETENSORS = "safetensors"
    HDF5 = "hdf5"
    ARCHIVE = "archive"
    UNKNOWN = "unknown"


_SDK = "push it with the SDK or `argosy push` on your machine, which converts it to ONNX there"
_PICKLED = "a pickle runs code when it is loaded, and the server never executes an upload"
_REFUSALS: dict[Format, tuple[str, str]] = {
    Format.PICKLE: (_PICKLED, f"save it with skops.io.dump(model, 'model.skops'), or {_SDK}"),
    Format.JOBLIB: (
        f"a joblib file holds a pickle; {_PICKLED}",
        f"save it with skops.io.dump(model, 'model.skops'), or {_SDK}",
    ),
    Format.TORCH: (f"a PyTorch file holds a pickle; {_PICKLED}", "export it with torch.onnx.export and push the ONNX"),
    Format.XGBOOST_JSON: ("XGBoost's own format is converted on your machine", _SDK),
    Format.XGBOOST_UBJ: ("XGBoost's own format is converted on your machine", _SDK),
    Format.LIGHTGBM: ("LightGBM's own format is converted on your machine", _SDK),
    Format.SAFETENSORS: ("a safetensors file holds weights without a model", "export the model to ONNX and push that"),
    Format.HDF5: ("an HDF5 file is not served", "export the model to ONNX and push that"),
    Format.ARCHIVE: ("the archive is no skops file", "push the ONNX or skops file itself"),
    Format.UNKNOWN: ("the file is neither ONNX nor skops", f"export the model to ONNX, or {_SDK}"),
}


def refusal(found: Format) -> tuple[str, str]:
    """Return why the server does not take a format, and what to do."""
    return _REFUSALS[found]


def detect(file: BinaryIO) -> Format:
    """Tell a file's format from its content, without loading it; the file is left at its start."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    try:
        return _zip_format(file) if head.startswith(b"PK\x03\x04") else _from_head(head)
    finally:
        file.seek(0)


def _from_head(head: bytes) -> Format:
    by_magic = {
        b"\x89HDF\r\n\x1a\n": Format.HDF5,
        b"\x1f\x8b": Format.JOBLIB,
        b"\x78\x01": Format.JOBLIB,
        b"\x78\x5e": Format.JOBLIB,
        b"\x78\x9c": Format.JOBLIB,
        b"\x78\xda": Format.JOBLIB,
        b"BZh": Format.JOBLIB,
        b"\xfd7zXZ": Format.JOBLIB,
        b"\x04\x22\x4d\x18": Format.JOBLIB,
        b"ZF": Format.JOBLIB,
    }
    for magic, found in by_magic.items():
        if head.startswith(magic):
            return found
    if _is_pickle(head):
        return Format.JOBLIB if b"joblib" in head else Format.PICKLE
    if head.lstrip().startswith(b"{"):
        if b'"learner"' in head or b'"learner_model_param"' in head or b'"version"' in head:
            return Format.XGBOOST_JSON
        return Format.XGBOOST_UBJ if b"learner" in head else Format.UNKNOWN
    if head.startswith(b"tree\n") and b"version=" in head:
        return Format.LIGHTGBM
    if len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**27:  # noqa: PLR2004 - its header
        return Format.SAFETENSORS
    return Format.ONNX if _is_onnx(head) else Format.UNKNOWN


def _is_pickle(head: bytes) -> bool:
    # Protocols 2 to 5 begin with PROTO and their number; 0 and 1 with an opcode that no other format begins with.
    if head[:1] == b"\x80" and head[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}:
        return True
    return head[:1] in {b"(", b"c", b"]", b"}"} and head[1:2] != b"" and head[1:2] in _PICKLE_OPCODES + b"csdlti_n"


def _is_onnx(head: bytes) -> bool:
    # A ModelProto in protobuf: field 1 (ir_version) as a varint, then small fields with known tags.
    known_tags = {0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72, 0xA2}
    return head[:1] == b"\x08" and len(head) > 2 and head[1] < 0x20 and head[2] in known_tags  # noqa: PLR2004


def _zip_format(file: BinaryIO) -> Format:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError):
        return Format.UNKNOWN
    if len(names) > MAX_MEMBERS:
        return Format.ARCHIVE
    if "schema.json" in names:
        return Format.SKOPS
    return Format.TORCH if any(name.endswith("data.pkl") for name in names) else Format.ARCHIVE
