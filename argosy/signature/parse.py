"""A JSON request in any of its three forms to columns, with the place where each value was written."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

import jiter

from argosy.signature.refusal import Refusal, cut, refuse

FORMS = ("rows", "columns", "data")
SHOWN_NAMES = 12
SHOWN_NAME_LENGTH = 40
Locate = Callable[[int, int], list[str | int]]


@dataclass(slots=True)
class Table:
    """Raw values by column, in the signature's order; `locate(column, row)` tells where one was written.

    `named` says that the place holds the column's name, so that a message need not. `flat` are the values row by row,
    where the request came by rows.
    """

    rows: int
    locate: Locate
    given: Sequence[Sequence[Any]] = ()
    flat: list[Any] | None = None
    named: bool = True

    @property
    def columns(self) -> Sequence[Sequence[Any]]:
        """The values by column."""
        if self.flat is None:
            return self.given
        width = len(self.flat) // self.rows
        return [self.flat[column::width] for column in range(width)]


class RequestParser:
    """Reads requests for one list of feature names. It checks the form; the values are not its business."""

    def __init__(self, names: Sequence[str], *, batched: bool) -> None:
        self._names = list(names)
        self._known = frozenset(names)
        self._record = itemgetter(*names) if len(names) > 1 else _single(names[0])
        self._batched = batched

    def parse(self, request: Any, max_rows: int) -> Table:  # noqa: ANN401 - any JSON
        """Return the table of a request; raises `InvalidInput`."""
        form, value = _form(request)
        if form == "rows":
            return self._from_rows(value, max_rows)
        return self.from_columns(value, max_rows) if form == "columns" else self._from_data(value, max_rows)

    def from_columns(self, value: Any, max_rows: int | None = None) -> Table:  # noqa: ANN401 - any JSON
        """Return the table of columns by name; raises `InvalidInput`."""
        if not isinstance(value, dict):
            raise refuse(["columns"], "Input should be an object of named lists", "dict_type")
        refusal = Refusal()
        self._check_names(["columns"], value, refusal)
        refusal.settle()
        for name in self._names:
            if not isinstance(value[name], list):
                refusal.add(["columns", name], "Input should be a list", "list_type")
        refusal.settle()
        lengths = Counter(len(value[name]) for name in self._names)
        # The odd one out is named, not the many that agree; an empty column never sets the rule.
        count = max(lengths, key=lambda length: (length > 0, lengths[length]))
        for name in self._names if len(lengths) > 1 else ():
            if len(value[name]) != count:
                message = f"This column has {len(value[name])} values, while others have {count}"
                refusal.add(["columns", name], message, "column_length")
        refusal.settle()
        self._check_count("columns", count, max_rows)
        return Table(count, lambda column, row: ["columns", self._names[column], row], list(self._record(value)))

    def _from_rows(self, value: Any, max_rows: int) -> Table:  # noqa: ANN401 - any JSON
        if not isinstance(value, list):
            raise refuse(["rows"], "Input should be a list of objects", "list_type")
        self._check_count("rows", len(value), max_rows)
        width = len(self._names)
        records: list[tuple[Any, ...]] = []
        if set(map(type, value)) == {dict} and set(map(len, value)) == {width}:
            try:
                records = list(map(self._record, value))
            except KeyError:
                records = []
        if not records:
            raise self._wrong_rows(value)
        flat = list(records[0] if len(records) == 1 else chain.from_iterable(records))
        return Table(len(value), lambda column, row: ["rows", row, self._names[column]], flat=flat)

    def _wrong_rows(self, rows: list[Any]) -> Exception:
        refusal = Refusal()
        for index, row in enumerate(rows):
            if isinstance(row, dict):
                self._check_names(["rows", index], row, refusal)
            else:
                refusal.add(["rows", index], "Input should be an object of named values", "dict_type")
        return refusal.error()

    def _from_data(self, value: Any, max_rows: int) -> Table:  # noqa: ANN401 - any JSON
        if not isinstance(value, list):
            raise refuse(["data"], "Input should be a list of lists", "list_type")
        self._check_count("data", len(value), max_rows)
        width = len(self._names)
        if set(map(type, value)) != {list} or set(map(len, value)) != {width}:
            raise self._wrong_data(value)
        flat = value[0] if len(value) == 1 else list(chain.from_iterable(value))
        return Table(len(value), lambda column, row: ["data", row, column], flat=flat, named=False)

    def _wrong_data(self, rows: list[Any]) -> Exception:
        refusal = Refusal()
        width = len(self._names)
        shown = ", ".join(name[:SHOWN_NAME_LENGTH] for name in self._names[:SHOWN_NAMES])
        expected = f"a list of {width} values: {shown}" + (", …" if width > SHOWN_NAMES else "")
        for index, row in enumerate(rows):
            if not isinstance(row, list):
                refusal.add(["data", index], f"Input should be {expected}", "list_type")
            elif len(row) != width:
                refusal.add(["data", index], f"Input has {len(row)} values, and should be {expected}", "row_length")
        return refusal.error()

    def _check_names(self, loc: list[str | int], given: dict[str, Any], refusal: Refusal) -> None:
        # Only as many as can be told are made: a list of a million empty objects lacks very many values.
        present = sum(map(self._known.__contains__, given))
        missing, extra = len(self._names) - present, len(given) - present
        for name in self._names if missing else ():
            if not refusal.room or not missing:
                break
            if name not in given:
                refusal.add([*loc, name], "Field required", "missing")
                missing -= 1
        for name in given if extra else ():
            if not refusal.room or not extra:
                break
            if name not in self._known:
                refusal.add([*loc, cut(name)], "Extra inputs are not permitted", "extra_forbidden")
                extra -= 1
        refusal.count(missing + extra)

    def _check_count(self, form: str, count: int, max_rows: int | None) -> None:
        if count == 0:
            raise refuse([form], "Input should have at least one row", "too_short")
        if max_rows is not None and count > max_rows:
            message = f"Input has {count} rows, and at most {max_rows} are allowed in one request"
            raise refuse([form], message, "too_many_rows", status=413)
        if count > 1 and not self._batched:
            raise refuse([form], "This model takes one row in a request", "too_long")


def _single(name: str) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    return lambda row: (row[name],)


def strict_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Read JSON without NaN and without a key twice; raises `InvalidInput`."""
    try:
        return jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise refuse(["body"], _explain(str(error)), "json_invalid", status=400) from None


def _explain(problem: str) -> str:
    # The parser repeats a duplicate key, which may be anything of any length: only its place is told.
    if problem.startswith("Detected duplicate key"):
        place = re.search(r"at line \d+ column \d+$", problem)
        return f"The body is not valid JSON: a key is given twice {place.group() if place else ''}".rstrip()
    return f"The body is not valid JSON: {problem[:200]}"


def _form(request: Any) -> tuple[str, Any]:  # noqa: ANN401 - any JSON
    if not isinstance(request, dict):
        raise refuse(["body"], "Input should be an object with rows, columns or data", "dict_type")
    if len(request) == 1:
        ((form, value),) = request.items()
        if form in FORMS:
            return form, value
    refusal = Refusal()
    for key in request:
        if key not in FORMS:
            refusal.add([cut(key)], "Extra inputs are not permitted", "extra_forbidden")
    refusal.settle()
    message = "Input should have exactly one of rows, columns and data"
    raise refuse(["body"], message, "too_many_forms" if request else "missing")
