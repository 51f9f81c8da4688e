"""What every command shares: who is calling, how results are shown, and how errors end the program."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from argosy.cli import credentials
from argosy.client import (
    Argosy,
    ArgosyAPIError,
    ArgosyConnectionError,
    ConversionError,
    JobUnsuccessful,
    PaymentFailed,
    PushFailed,
)

PIPED_SIZE = (200, 50)
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OrganizationOption = Annotated[str | None, typer.Option("--org", help="Slug of the organization; yours if left out.")]
CsvOption = Annotated[
    Path | None, typer.Option("--csv", "--output", "-o", metavar="FILE", help="Save it as CSV instead; - prints it.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
ModelName = Annotated[str, typer.Argument(help="`name` or `organization/name`.")]
Number = Annotated[int, typer.Argument(help="Version number.", min=1)]
UsageError = (ValueError, TypeError, FileNotFoundError, IsADirectoryError, PermissionError)


def make_console(*, stderr: bool = False) -> Console:
    """Return a console; what is piped or kept in a file is not cut to the width of a terminal nobody sees."""
    stream = sys.stderr if stderr else sys.stdout
    known = stream.isatty() or "COLUMNS" in os.environ
    # Both are said: knowing one alone, rich takes what a dumb terminal has, which is 80 columns.
    width, height = (None, None) if known else PIPED_SIZE
    return Console(stderr=stderr, width=width, height=height)


out = make_console()
err = make_console(stderr=True)


@contextmanager
def session(organization: str | None = None) -> Iterator[Argosy]:
    """Open a client with the stored or given credentials; end the program with a message where something fails.

    Raises `ValueError` when the credentials are of another organization than it is to act in.
    """
    with failures(), credentials.open_client() as client:
        if organization is not None:
            client.organization = organization
            if client.slug != organization:
                raise ValueError(f"these credentials act in {client.slug}; sign in to act in {organization}")
        yield client


def say(text: str) -> None:
    """Print a line as it is: whatever a name holds, it is no markup."""
    out.print(Text(text), soft_wrap=True)


def complain(text: str, *more: str) -> None:
    """Print an error, and what belongs to it, on standard error."""
    err.print(f"[red]error:[/red] {escape(text)}", highlight=False, soft_wrap=True)
    for line in more:
        err.print(Text(f"  {line}"), soft_wrap=True)


@contextmanager
def failures() -> Iterator[None]:
    """Turn expected errors into messages on standard error and exit codes: 1 refused or failed, 2 used wrongly."""
    try:
        yield
    except ArgosyAPIError as error:
        complain(error.detail, *_particulars(error))
        raise typer.Exit(1) from None
    except ConversionError as error:
        complain(error.failure.reason, *([error.failure.advice] if error.failure.advice else []))
        raise typer.Exit(1) from None
    except (PushFailed, PaymentFailed, JobUnsuccessful, ArgosyConnectionError, TimeoutError) as error:
        complain(str(error))
        raise typer.Exit(1) from None
    except ValidationError as error:
        complain(f"the server's answer is not understood; is this client older? {error.title}: {error.errors()[0]}")
        raise typer.Exit(1) from None
    except UsageError as error:
        complain(str(error))
        raise typer.Exit(2) from None


def _particulars(error: ArgosyAPIError) -> list[str]:
    lines = [f"{'.'.join(str(part) for part in one.get('loc', []))}: {one.get('msg')}" for one in error.errors]
    if error.advice:
        lines.append(error.advice)
    if error.request_id and error.status >= 500:  # noqa: PLR2004 - the server's fault: its log has more
        lines.append(f"request {error.request_id}")
    return lines


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
    several = isinstance(value, Iterable) and not isinstance(value, BaseModel | dict)
    rows = list(value) if several else [value]
    if as_json:
        show_json(rows if several else value)
        return
    table = Table()
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        fields = plain(row)
        table.add_row(*(Text(_cell(fields.get(column))) for column in columns))
    out.print(table)


def done(as_json: bool, said: str, **fields: str | bool) -> None:
    """Say that something without a result was done."""
    if as_json:
        show_json(fields)
    else:
        say(said)


def save_csv(target: Path, save: Callable[[Path], Path], as_json: bool) -> None:
    """Save CSV to a file, or print it where that is `-`: whole or not at all, too."""
    if str(target) != "-":
        written = save(target)
        done(as_json, f"{written} ({written.stat().st_size} bytes)", path=str(written))
        return
    with TemporaryDirectory() as folder, save(Path(folder, "csv")).open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)


def show_secret(made: BaseModel, secret: str | None, as_json: bool, columns: Sequence[str]) -> None:
    """Print what was made, and below it the secret, which nobody can show again."""
    show(made, as_json, columns)
    if not as_json:
        say(secret or "")


def sure(question: str, yes: bool) -> None:
    """Ask before what cannot be undone, unless told not to."""
    if not yes:
        typer.confirm(question, abort=True, err=True)


def delete(
    name: str,
    act: Callable[[Argosy, str], object],
    question: str,
    *,
    yes: bool,
    as_json: bool,
    organization: str | None = None,
) -> None:
    """Delete something by its name, once whoever calls is sure."""
    sure(question, yes)
    with session(organization) as client:
        act(client, name)
        done(as_json, f"Deleted {name}.", deleted=name)


def ask_secret(what: str, *, twice: bool = False) -> str:
    """Ask for something that must not be seen, in a place that is not piped."""
    return str(typer.prompt(what, hide_input=True, confirmation_prompt=twice, err=True))


def refused(text: str) -> typer.Exit:
    """Print an error; return what ends the program as refused."""
    complain(text)
    return typer.Exit(1)


def _cell(value: Any) -> str:  # noqa: ANN401 - any field
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{key}={_cell(item)}" for key, item in value.items())
    return ", ".join(_cell(item) for item in value) if isinstance(value, list) else str(value)


def pairs(values: Sequence[str], convert: Callable[[str], Any]) -> dict[str, Any] | None:
    """Read `name=value` options; raises `ValueError`."""
    found = {}
    for value in values:
        name, separator, text = value.partition("=")
        if not separator or not name:
            raise ValueError(f"{value!r} should be name=value")
        try:
            found[name] = convert(text)
        except ValueError as error:
            raise ValueError(f"{value!r}: {error}") from error
    return found or None


def json_value(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Read a value as JSON where it is, else as text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
