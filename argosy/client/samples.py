"""Samples, read from files or frames, as the `sample` part of an upload."""

import json
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from argosy.client.payloads import columns_of

PARQUET = frozenset({".parquet", ".pq"})
TEXT_SUFFIXES = frozenset({".csv", ".tsv"})


def read_rows(path: Path) -> object:
    """Read a CSV, TSV, Parquet or JSON file of inputs; JSON may be rows, columns, or a request's body."""
    if path.suffix == ".json":
        return _unwrapped(json.loads(path.read_bytes()))
    return read_columns(path)


def read_columns(path: Path) -> dict[str, list[Any]]:
    """Read a file of inputs as columns by name; raises `ValueError` for a kind of file it does not know."""
    if path.suffix == ".json":
        return columns_of(_unwrapped(json.loads(path.read_bytes())))
    import polars as pl  # noqa: PLC0415 - heavy

    if path.suffix in PARQUET:
        frame = pl.read_parquet(path)
    elif path.suffix in TEXT_SUFFIXES:
        separator = "\t" if path.suffix == ".tsv" else ","
        try:
            # A column that turns from numbers to text late in the file is text: types are told from all of it.
            frame = pl.read_csv(path, separator=separator, infer_schema_length=None)
        except pl.exceptions.PolarsError as error:
            raise ValueError(f"{path.name} cannot be read as CSV: {error}") from error
    else:
        raise ValueError(f"{path.name}: give a .csv, .tsv, .parquet or .json file")
    return columns_of(frame)


def _unwrapped(content: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(content, dict) and len(content) == 1:
        name, value = next(iter(content.items()))
        if name in {"rows", "columns", "data"} and isinstance(value, list | dict):
            return value
    return content.get("inputs", content) if isinstance(content, dict) else content


def sample_part(sample: object) -> bytes | Path | None:
    """Return the sample part of an upload: Parquet is sent as it is, everything else as JSON columns."""
    if sample is None:
        return None
    if not isinstance(sample, str | Path):
        return to_json({"inputs": columns_of(sample)})
    path = Path(sample)
    if path.suffix in PARQUET:
        return path
    if path.suffix == ".json":
        content = json.loads(path.read_bytes())
        if isinstance(content, dict) and "inputs" in content:
            return path
    return to_json({"inputs": read_columns(path)})


def loaded_sample(sample: object) -> object:
    """Return a sample that is converted here: a file is read, anything else stays."""
    return read_columns(Path(sample)) if isinstance(sample, str | Path) else sample
