"""What goes into a prediction or a push: frames, arrays and files to what the API takes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydantic_core import to_json

from argosy.conversion.errors import ConversionError
from argosy.conversion.evidence import EvidenceList
from argosy.conversion.formats import Format, detect, refusal

CHUNK = 1 << 20
UPLOADED = frozenset({Format.ONNX, Format.SKOPS})
PICKLED = frozenset({Format.PICKLE, Format.JOBLIB})


def prediction_body(inputs: object) -> bytes:
    """Return the JSON body for rows: a list of dictionaries, a data frame, columns by name, or a matrix."""
    if hasattr(inputs, "to_dicts"):  # polars
        body: dict[str, Any] = {"rows": inputs.to_dicts()}
    elif hasattr(inputs, "to_dict") and hasattr(inputs, "columns"):  # pandas
        body = {"columns": {str(name): _column(inputs[name].tolist()) for name in inputs.columns}}  # type: ignore[index]
    elif isinstance(inputs, Mapping):
        one = not any(isinstance(value, list | tuple | np.ndarray) for value in inputs.values())
        body = {"rows": [dict(inputs)]} if one else {"columns": {name: _column(list(inputs[name])) for name in inputs}}
    elif isinstance(inputs, list) and inputs and isinstance(inputs[0], Mapping):
        body = {"rows": inputs}
    else:
        body = {"data": [_column(row) for row in np.atleast_2d(np.asarray(inputs)).tolist()]}
    return to_json(body, inf_nan_mode="null", fallback=_plain)


def _column(values: list[Any]) -> list[Any]:
    return [None if isinstance(value, float) and np.isnan(value) else value for value in values]


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a frame holds
    return value.item() if isinstance(value, np.generic) else str(value)


@dataclass(slots=True)
class Upload:
    """The parts of a version's upload; `artifact` is bytes, or a file that is streamed."""

    artifact: bytes | Path
    filename: str
    metadata: dict[str, Any]
    sample: bytes | None = None
    evidence: bytes | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def parts(self) -> dict[str, tuple[str, Any, str]]:
        """Return the multipart files."""
        artifact = self.artifact if isinstance(self.artifact, bytes) else self.artifact.open("rb")
        parts: dict[str, tuple[str, Any, str]] = {
            "artifact": (self.filename, artifact, "application/octet-stream"),
            "metadata": ("metadata.json", json.dumps(self.metadata), "application/json"),
        }
        for name, content in (("sample", self.sample), ("evidence", self.evidence)):
            if content is not None:
                parts[name] = (name, content, "application/octet-stream")
        return parts


def make_upload(
    model: object, sample: object, metadata: dict[str, Any], *, nullable: bool, trust_pickle: bool
) -> Upload:
    """Return the upload for an estimator, which is converted here, or for a file.

    Raises `ConversionError` for what cannot be converted, and for a pickle that is not trusted.
    """
    if not isinstance(model, str | Path):
        return _converted(model, sample, metadata, nullable=nullable)
    path = Path(model)
    with path.open("rb") as file:
        found = detect(file)
    if found in PICKLED and trust_pickle:
        return _converted(_unpickle(path), _loaded(sample), metadata, nullable=nullable)
    if found in PICKLED:
        reason, advice = refusal(found)
        advice = f"{advice}; if the file is your own, --trust-pickle (trust_pickle=True) loads and converts it here"
        raise ConversionError("format-refused", reason, advice)
    if found not in UPLOADED:
        raise ConversionError("format-refused", *refusal(found))
    metadata = {**metadata, "sha256": _sha256(path)}
    return Upload(path, path.name, metadata, sample=sample_bytes(sample))


def _converted(model: object, sample: object, metadata: dict[str, Any], *, nullable: bool) -> Upload:
    from argosy.conversion.convert import convert  # noqa: PLC0415 - heavy, and of an extra

    if sample is None:
        raise ConversionError("sample-missing", "converting needs a sample", "give some rows of the inputs: sample=X")
    conversion = convert(model, sample, nullable=nullable)
    described = {
        **metadata,
        "signature": conversion.signature.model_dump(mode="json"),
        "provenance": conversion.provenance,
        "sha256": hashlib.sha256(conversion.onnx).hexdigest(),
    }
    evidence = EvidenceList.dump_json(conversion.evidence)
    return Upload(conversion.onnx, "model.onnx", described, evidence=evidence)


def _unpickle(path: Path) -> object:
    import joblib  # noqa: PLC0415 - comes with scikit-learn

    # The caller said that the file is their own; it is loaded here, on their machine, and never sent.
    loaded: object = joblib.load(path)
    return loaded


def _loaded(sample: object) -> object:
    return read_table(Path(sample)) if isinstance(sample, str | Path) else sample


def read_table(path: Path) -> dict[str, list[Any]]:
    """Read a CSV or Parquet file, or a JSON file of columns, as columns by name."""
    import polars as pl  # noqa: PLC0415 - heavy

    if path.suffix == ".json":
        columns = json.loads(path.read_text())
        found: dict[str, list[Any]] = columns.get("inputs", columns)
        return found
    frame = pl.read_parquet(path) if path.suffix in {".parquet", ".pq"} else pl.read_csv(path, infer_schema_length=None)
    return frame.to_dict(as_series=False)


def sample_bytes(sample: object) -> bytes | None:
    """Return the sample part of an upload: Parquet and JSON files as they are, everything else as columns."""
    if sample is None:
        return None
    if isinstance(sample, str | Path):
        path = Path(sample)
        if path.suffix in {".parquet", ".pq"}:
            return path.read_bytes()
        columns: object = json.loads(path.read_text()) if path.suffix == ".json" else read_table(path)
        return to_json(columns if isinstance(columns, dict) and "inputs" in columns else {"inputs": columns})
    body = json.loads(prediction_body(sample))
    if "rows" in body:
        body["columns"] = {name: [row.get(name) for row in body["rows"]] for name in body["rows"][0]}
    if "data" in body:
        width = range(len(body["data"][0]))
        body["columns"] = {f"feature_{index}": [row[index] for row in body["data"]] for index in width}
    return json.dumps({"inputs": body["columns"]}).encode()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def version_metadata(**values: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the API takes
    """Return the metadata of an upload, without what is not given."""
    dated = values.get("training_date")
    if isinstance(dated, datetime):
        values["training_date"] = dated.astimezone().isoformat()
    return {name: _jsonable(value) for name, value in values.items() if value is not None}


def _jsonable(value: Any) -> Any:  # noqa: ANN401 - any parameters
    return json.loads(to_json(value, fallback=str, inf_nan_mode="null"))
