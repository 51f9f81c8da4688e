"""What every command shares: who is calling, how results are shown, and how errors end the program."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from argosy.cli import credentials
from argosy.client import Argosy, ArgosyAPIError, ArgosyConnectionError, ConversionError, PushFailed

out = Console()
err = Console(stderr=True)
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
UsageError = (ValueError, FileNotFoundError, IsADirectoryError)


@contextmanager
def session() -> Iterator[Argosy]:
    """Open a client with the stored or given credentials; end the program with a message where something fails."""
    with failures():
        client = credentials.open_client()
        with client:
            yield client
            credentials.keep_refreshed(client)


@contextmanager
def failures() -> Iterator[None]:
    """Turn expected errors into messages on standard error and exit codes: 1 refused or failed, 2 used wrongly."""
    try:
        yield
    except ArgosyAPIError as error:
        err.print(f"[red]error:[/red] {error.detail}", highlight=False)
        for item in error.errors:
            err.print(f"  {'.'.join(str(part) for part in item['loc'])}: {item['msg']}", highlight=False)
        if advice := error.problem.get("advice"):
            err.print(f"  {advice}", highlight=False)
        raise typer.Exit(1) from None
    except (PushFailed, ConversionError, ArgosyConnectionError, TimeoutError) as error:
        err.print(f"[red]error:[/red] {error}", highlight=False)
        raise typer.Exit(1) from None
    except UsageError as error:
        err.print(f"[red]error:[/red] {error}", highlight=False)
        raise typer.Exit(2) from None


def plain(value: Any) -> Any:  # noqa: ANN401 - anything JSON can hold
    """Return results as JSON values."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def show_json(value: Any) -> None:  # noqa: ANN401 - anything JSON can hold
    """Print a value as JSON."""
    sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n")


def show(value: Any, as_json: bool, columns: Sequence[str]) -> None:  # noqa: ANN401 - a result, or several
    """Print results as a table of some of their fields, or as JSON."""
    rows = list(value) if isinstance(value, Iterable) and not isinstance(value, BaseModel | dict) else [value]
    if as_json:
        show_json(rows if isinstance(value, Iterable) and not isinstance(value, BaseModel | dict) else value)
        return
    table = Table(*columns)
    for row in rows:
        fields = plain(row)
        table.add_row(*(_cell(fields.get(column)) for column in columns))
    out.print(table)


def _cell(value: Any) -> str:  # noqa: ANN401 - any field
    if value is None:
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


def pairs(values: Sequence[str], convert: Callable[[str], Any]) -> dict[str, Any] | None:
    """Read `name=value` options; raises `ValueError`."""
    found = {}
    for value in values:
        name, separator, text = value.partition("=")
        if not separator or not name:
            raise ValueError(f"{value!r} should be name=value")
        found[name] = convert(text)
    return found or None


def json_value(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Read a value as JSON where it is, else as text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
