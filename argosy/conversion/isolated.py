"""What the isolated process does: `convert` a skops file, or `verify` an ONNX file, in a folder.

Files in: `source` (skops) or `model.onnx`, `sample` (JSON or Parquet), `signature.json`, `evidence.json`,
`tokenizer.json`, `embedding.json`. Files out: `model.onnx`, `signature.json`, `evidence.json`, `provenance.json`,
`facts.json`,
`report.json`; or `error.json` and exit code 3.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from argosy.conversion.errors import ConversionError
from argosy.conversion.evidence import Evidence, EvidenceList
from argosy.embeddings.plan import EmbeddingOptions
from argosy.signature.spec import Signature

REFUSED = 3
PARQUET = b"PAR1"


def main(arguments: Sequence[str]) -> int:
    """Run a command on a folder; return the exit code."""
    command, folder = arguments
    commands: dict[str, Callable[[Path], None]] = {"convert": _convert, "verify": _verify}
    try:
        commands[command](Path(folder))
    except ConversionError as error:
        (Path(folder) / "error.json").write_text(error.failure.model_dump_json())
        return REFUSED
    return 0


def _convert(folder: Path) -> None:
    from argosy.conversion.convert import convert  # noqa: PLC0415 - heavy, and of an extra
    from argosy.conversion.trusted import load_skops  # noqa: PLC0415

    sample = read_sample(folder / "sample")
    if sample is None:
        raise ConversionError(
            "sample-missing", "converting a skops file needs a sample of its inputs", "push it with --sample rows.csv"
        )
    conversion = convert(load_skops(folder / "source"), sample.inputs)
    (folder / "model.onnx").write_bytes(conversion.onnx)
    (folder / "signature.json").write_text(conversion.signature.model_dump_json())
    (folder / "evidence.json").write_bytes(EvidenceList.dump_json(conversion.evidence))
    (folder / "provenance.json").write_text(json.dumps(conversion.provenance))


def _verify(folder: Path) -> None:
    from argosy.conversion.measure import measure  # noqa: PLC0415 - heavy
    from argosy.conversion.verify import verify  # noqa: PLC0415

    signature = None
    if (folder / "signature.json").exists():
        signature = Signature.model_validate_json((folder / "signature.json").read_bytes())
    evidence = _evidence(folder)
    verification = verify(folder / "model.onnx", signature, evidence)
    (folder / "model.onnx").write_bytes(verification.onnx)
    described = _embedding(folder, verification.signature, verification.onnx)
    (folder / "signature.json").write_text(described.model_dump_json())
    if verification.report.passed:
        facts = measure(verification.onnx, verification.signature, evidence)
        (folder / "facts.json").write_text(facts.model_dump_json())
    (folder / "report.json").write_text(verification.report.model_dump_json())


def _embedding(folder: Path, signature: Signature, onnx: bytes) -> Signature:
    """Return the signature with how it makes embeddings, where the upload says that it does."""
    from argosy.conversion.embedding import with_embedding  # noqa: PLC0415 - heavy

    tokenizer, options = folder / "tokenizer.json", folder / "embedding.json"
    said = signature.embedding.model_dump() if signature.embedding else None
    if options.exists():
        said = json.loads(options.read_bytes())
    elif said is None and not tokenizer.exists():
        return signature
    content = tokenizer.read_bytes() if tokenizer.exists() else None
    return with_embedding(signature, EmbeddingOptions.model_validate(said or {}), content, onnx)


def _evidence(folder: Path) -> list[Evidence]:
    path = folder / "evidence.json"
    if path.exists():
        try:
            return EvidenceList.validate_json(path.read_bytes())
        except ValidationError as error:
            raise ConversionError("evidence-invalid", f"the evidence cannot be read: {_explain(error)}") from error
    sample = read_sample(folder / "sample")
    return [sample] if sample else []


def read_sample(path: Path) -> Evidence | None:
    """Read a sample: JSON `{"inputs": {…}, "outputs": {…}}`, or a Parquet table of inputs; None where there is none."""
    if not path.exists():
        return None
    content = path.read_bytes()
    try:
        if content.startswith(PARQUET):
            import polars as pl  # noqa: PLC0415 - heavy

            return Evidence(inputs=pl.read_parquet(content).to_dict(as_series=False))
        return Evidence.model_validate_json(content)
    except ValidationError as error:
        raise ConversionError("sample-invalid", f"the sample cannot be read: {_explain(error)}") from error
    except Exception as error:
        raise ConversionError("sample-invalid", "the sample is no readable Parquet file") from error


def _explain(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(part)[:50] for part in first['loc'])}: {first['msg']}"
