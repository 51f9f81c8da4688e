"""The upload of a version: made from an estimator or a file, and streamed part by part."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from pydantic_core import to_json

from argosy.client.samples import loaded_sample, sample_part
from argosy.conversion.errors import ConversionError, missing_extra
from argosy.conversion.evidence import EvidenceList
from argosy.conversion.formats import Format, detect, refusal

UPLOADED = frozenset({Format.ONNX, Format.SKOPS})
PICKLED = frozenset({Format.PICKLE, Format.JOBLIB})
Part = tuple[str, Any, str]
Counter = Callable[[int], None]


class CountedFile:
    """A file that tells how far it has been read, for a progress bar."""

    def __init__(self, file: BinaryIO, count: Counter) -> None:
        self._file = file
        self._count = count

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes."""
        content = self._file.read(size)
        self._count(self._file.tell())
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go elsewhere."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Tell the position."""
        return self._file.tell()


@dataclass(frozen=True, slots=True)
class Upload:
    """The parts of a version's upload; a path is streamed from disk."""

    artifact: bytes | Path
    filename: str
    metadata: dict[str, Any]
    sample: bytes | Path | None = None
    evidence: bytes | None = None
    tokenizer: Path | None = None

    @property
    def size(self) -> int:
        """Bytes of the artifact."""
        return len(self.artifact) if isinstance(self.artifact, bytes) else self.artifact.stat().st_size

    @contextmanager
    def opened(self, count: Counter) -> Iterator[dict[str, Part]]:
        """Open the parts for one attempt; `count` hears how many bytes of the artifact were read."""
        with ExitStack() as stack:
            parts: dict[str, Part] = {
                "metadata": ("metadata.json", json.dumps(self.metadata).encode(), "application/json")
            }
            others = (("sample", self.sample), ("evidence", self.evidence), ("tokenizer", self.tokenizer))
            for name, content in others:
                if content is not None:
                    parts[name] = (name, _opened(content, stack), "application/octet-stream")
            artifact = CountedFile(_opened(self.artifact, stack), count)
            yield {**parts, "artifact": (self.filename, artifact, "application/octet-stream")}


def _opened(content: bytes | Path, stack: ExitStack) -> BinaryIO:
    return BytesIO(content) if isinstance(content, bytes) else stack.enter_context(content.open("rb"))


def make_upload(
    model: object,
    sample: object,
    metadata: dict[str, Any],
    *,
    nullable: bool,
    trust_pickle: bool,
    tokenizer: str | Path | None = None,
) -> Upload:
    """Return the upload for an estimator, which is converted here, or for a file.

    Raises `ConversionError` for what cannot be converted, and for a pickle that is not trusted.
    """
    made = _of_model(model, sample, metadata, nullable=nullable, trust_pickle=trust_pickle)
    return made if tokenizer is None else replace(made, tokenizer=Path(tokenizer))


def _of_model(model: object, sample: object, metadata: dict[str, Any], *, nullable: bool, trust_pickle: bool) -> Upload:
    if not isinstance(model, str | Path):
        return _converted(model, sample, metadata, nullable=nullable)
    path = Path(model)
    with path.open("rb") as file:
        found = detect(file)
    if found in PICKLED and trust_pickle:
        return _converted(_unpickle(path), loaded_sample(sample), metadata, nullable=nullable)
    if found not in UPLOADED:
        reason, advice = refusal(found)
        if found in PICKLED:
            advice += "; if the file is your own, --trust-pickle (trust_pickle=True) loads and converts it here"
        raise ConversionError("format-refused", reason, advice)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Upload(path, path.name, {**metadata, "sha256": digest}, sample=sample_part(sample))


def _converted(model: object, sample: object, metadata: dict[str, Any], *, nullable: bool) -> Upload:
    if sample is None:
        raise ConversionError("sample-missing", "converting needs a sample", "give some rows of the inputs: sample=X")
    from argosy.conversion.convert import convert  # noqa: PLC0415 - heavy, and of an extra

    conversion = convert(model, sample, nullable=nullable)
    described = {
        **metadata,
        "signature": conversion.signature.model_dump(mode="json"),
        "provenance": conversion.provenance,
        "sha256": hashlib.sha256(conversion.onnx).hexdigest(),
    }
    return Upload(conversion.onnx, "model.onnx", described, evidence=EvidenceList.dump_json(conversion.evidence))


def _unpickle(path: Path) -> object:
    try:
        import joblib  # noqa: PLC0415 - comes with scikit-learn
    except ImportError as error:
        raise missing_extra("joblib", "sklearn") from error
    try:
        # The caller said that the file is their own; it is loaded here, on their machine, and never sent.
        loaded: object = joblib.load(path)
    except Exception as error:
        reason = f"{path.name} cannot be loaded: {type(error).__name__}: {error}"
        raise ConversionError("pickle-unreadable", reason, "load it with the libraries it was saved with") from error
    return loaded


def version_metadata(**values: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the API takes
    """Return the metadata of an upload, without what is not given; a date without a zone is local time."""
    dated = values.get("training_date")
    if isinstance(dated, datetime):
        values["training_date"] = dated.astimezone().isoformat()
    return {name: _jsonable(value) for name, value in values.items() if value is not None}


def _jsonable(value: Any) -> Any:  # noqa: ANN401 - any parameters
    # An estimator's get_params() holds objects and NumPy numbers: the former are described, the latter are numbers.
    return json.loads(to_json(value, fallback=_described, inf_nan_mode="null"))


def _described(value: Any) -> Any:  # noqa: ANN401 - any object
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "ndim", None) == 0 else str(value)
