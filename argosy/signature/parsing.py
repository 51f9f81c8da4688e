"""The three forms of a request (rows, columns, data) to checked columns.

All three are turned into columns and checked by the same types, so that they agree on every verdict; an error is told
where the caller wrote it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jiter
from pydantic import TypeAdapter, ValidationError

from argosy.signature.errors import MAX_ERRORS, ErrorItem, InvalidInput, item

FORMS = ("rows", "columns", "data")
SHOWN_NAMES = 12
Columns = dict[str, list[Any]]
Locate = Callable[[str, int], list[str | int]]


class RequestParser:
    """Reads requests for one list of features."""

    def __init__(self, adapters: Mapping[str, TypeAdapter[list[Any]]], *, batched: bool) -> None:
        self._adapters = adapters
        self._names = list(adapters)
        self._expected = frozenset(adapters)
        self._batched = batched

    def parse(self, body: bytes, max_rows: int) -> tuple[Columns, int]:
        """Return checked columns and the number of rows; raises `InvalidInput`."""
        form, value = self._form(_json(body))
        if form == "rows":
            columns, rows = self._from_rows(value, max_rows)
            locate: Locate = lambda name, row: ["rows", row, name]  # noqa: E731 - one of three
        elif form == "columns":
            columns, rows = self._from_columns(value, max_rows)
            locate = lambda name, row: ["columns", name, row]  # noqa: E731
        else:
            columns, rows = self._from_data(value, max_rows)
            positions = {name: position for position, name in enumerate(self._names)}
            locate = lambda name, row: ["data", row, positions[name]]  # noqa: E731
        return self.check(columns, locate), rows

    def check(self, columns: Mapping[str, list[Any]], locate: Locate) -> Columns:
        """Return the columns with every value checked; raises `InvalidInput`."""
        checked: Columns = {}
        errors: list[ErrorItem] = []
        more = 0
        for name, adapter in self._adapters.items():
            try:
                checked[name] = adapter.validate_python(columns[name])
            except ValidationError as error:
                found = error.errors(include_url=False, include_context=False, include_input=False)
                kept = found[: max(MAX_ERRORS - len(errors), 0)]
                errors += [
                    item([*locate(name, _row(one["loc"])), *one["loc"][1:]], one["msg"], one["type"]) for one in kept
                ]
                more += len(found) - len(kept)
        if errors:
            raise InvalidInput(errors, more=more)
        return checked

    def _form(self, request: Any) -> tuple[str, Any]:  # noqa: ANN401 - any JSON
        if not isinstance(request, dict):
            raise InvalidInput([item(["body"], "Input should be an object with rows, columns or data", "dict_type")])
        unknown = [key for key in request if key not in FORMS]
        if unknown:
            raise InvalidInput([item([key], "Extra inputs are not permitted", "extra_forbidden") for key in unknown])
        if len(request) != 1:
            message = "Give exactly one of rows, columns or data"
            raise InvalidInput([item(["body"], message, "missing" if not request else "too_many_forms")])
        return next(iter(request.items()))

    def _count(self, form: str, count: int, max_rows: int) -> int:
        if count == 0:
            raise InvalidInput([item([form], "At least one row is needed", "too_short")])
        if count > max_rows:
            raise InvalidInput([item([form], f"At most {max_rows} rows are allowed", "too_long")], status=413)
        if count > 1 and not self._batched:
            raise InvalidInput([item([form], "This model takes one row a request", "too_long")])
        return count

    def _from_rows(self, value: Any, max_rows: int) -> tuple[Columns, int]:  # noqa: ANN401 - any JSON
        if not isinstance(value, list):
            raise InvalidInput([item(["rows"], "Input should be a list of objects", "list_type")])
        count = self._count("rows", len(value), max_rows)
        errors: list[ErrorItem] = []
        more = 0
        for index, row in enumerate(value):
            if isinstance(row, dict) and row.keys() == self._expected:
                continue
            found = self._wrong_names(["rows", index], row)
            more += max(len(found) - max(MAX_ERRORS - len(errors), 0), 0)
            errors += found[: max(MAX_ERRORS - len(errors), 0)]
        if errors:
            raise InvalidInput(errors, more=more)
        return {name: [row[name] for row in value] for name in self._names}, count

    def _wrong_names(self, loc: list[str | int], value: Any) -> list[ErrorItem]:  # noqa: ANN401 - any JSON
        if not isinstance(value, dict):
            return [item(loc, "Input should be an object of named features", "dict_type")]
        missing = [item([*loc, name], "Field required", "missing") for name in self._names if name not in value]
        extra = [
            item([*loc, name], "Extra inputs are not permitted", "extra_forbidden")
            for name in value
            if name not in self._expected
        ]
        return missing + extra

    def _from_columns(self, value: Any, max_rows: int) -> tuple[Columns, int]:  # noqa: ANN401 - any JSON
        wrong = self._wrong_names(["columns"], value)
        if wrong:
            raise InvalidInput(wrong)
        not_lists = [name for name in self._names if not isinstance(value[name], list)]
        if not_lists:
            raise InvalidInput([item(["columns", name], "Input should be a list", "list_type") for name in not_lists])
        count = self._count("columns", len(value[self._names[0]]), max_rows)
        odd = [name for name in self._names if len(value[name]) != count]
        if odd:
            message = f"Every column should have {count} values, as {self._names[0][:50]!r} has"
            raise InvalidInput([item(["columns", name], message, "column_length") for name in odd])
        return value, count

    def _from_data(self, value: Any, max_rows: int) -> tuple[Columns, int]:  # noqa: ANN401 - any JSON
        if not isinstance(value, list):
            raise InvalidInput([item(["data"], "Input should be a list of lists", "list_type")])
        count = self._count("data", len(value), max_rows)
        width = len(self._names)
        odd = [index for index, row in enumerate(value) if not isinstance(row, list) or len(row) != width]
        if odd:
            shown = ", ".join(name[:50] for name in self._names[:SHOWN_NAMES])
            names = shown + (", …" if width > SHOWN_NAMES else "")
            message = f"Each row should be a list of {width} values: {names}"
            raise InvalidInput([item(["data", index], message, "row_length") for index in odd])
        return {name: [row[position] for row in value] for position, name in enumerate(self._names)}, count


def _row(loc: tuple[int | str, ...]) -> int:
    return loc[0] if loc and isinstance(loc[0], int) else 0


def _json(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        message = f"The body is not valid JSON: {str(error)[:200]}"
        raise InvalidInput([item(["body"], message, "json_invalid")], status=400) from None
