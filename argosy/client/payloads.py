"""What people hold (frames, arrays, dictionaries) as the JSON that the API takes, with nothing lost on the way."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
from pydantic_core import to_json

Body = dict[str, Any]
MATRIX = 2


def prediction_body(inputs: object) -> bytes:
    """Return the body of a prediction call.

    Takes a list of dictionaries, one dictionary, columns by name, a pandas or polars data frame, a matrix or a list of
    lists in the order of the signature. NaN, None, `pd.NA` and `NaT` become null; infinity has no place in JSON and is
    refused with `ValueError`, as is a value of a type that JSON lacks.
    """
    return to_json(_body(inputs))


def columns_of(inputs: object) -> dict[str, list[Any]]:
    """Return inputs as columns by name, for a sample; unnamed columns are feature_0, feature_1, …"""
    body = _body(inputs)
    if "columns" in body:
        columns: dict[str, list[Any]] = body["columns"]
        return columns
    if "rows" in body:
        names = list(dict.fromkeys(name for row in body["rows"] for name in row))
        return {name: [row.get(name) for row in body["rows"]] for name in names}
    rows = body["data"]
    return {f"feature_{index}": [row[index] for row in rows] for index in range(len(rows[0]) if rows else 0)}


def _body(inputs: object) -> Body:
    if _is_frame(inputs):
        return {"columns": _frame(inputs)}
    if isinstance(inputs, Mapping):
        return _mapping(inputs)
    if hasattr(inputs, "to_dict") and hasattr(inputs, "index"):  # one row of a pandas data frame
        return _mapping(inputs.to_dict())
    if isinstance(inputs, np.ndarray):
        return {"data": _array(inputs)}
    if isinstance(inputs, Iterable) and not isinstance(inputs, str | bytes):
        return _listed(list(inputs))
    raise TypeError(f"cannot predict for {type(inputs).__name__}; give rows, columns, a data frame or a matrix")


def _is_frame(inputs: object) -> bool:
    return hasattr(inputs, "columns") and hasattr(inputs, "__getitem__") and not isinstance(inputs, Mapping)


def _frame(frame: Any) -> dict[str, list[Any]]:  # noqa: ANN401 - pandas or polars
    names = [str(name) for name in frame.columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"the data frame has several columns named {', '.join(repeated)}")
    return {str(name): _values(frame[name], str(name)) for name in frame.columns}


def _mapping(inputs: Mapping[Any, Any]) -> Body:
    if any(_is_column(value) for value in inputs.values()):
        return {"columns": {str(name): _values(values, str(name)) for name, values in inputs.items()}}
    return {"rows": [_row(inputs, 0)]}


def _listed(rows: list[Any]) -> Body:
    if rows and all(isinstance(row, Mapping) for row in rows):
        return {"rows": [_row(row, index) for index, row in enumerate(rows)]}
    if rows and not any(_is_column(row) for row in rows):
        rows = [rows]
    return {"data": [_values(row, f"data.{index}") for index, row in enumerate(rows)]}


def _array(array: np.ndarray[Any, Any]) -> list[list[Any]]:
    if array.ndim > MATRIX:  # a tensor a row, such as an image: the row's only value
        return [[_value(row, f"data.{index}")] for index, row in enumerate(array.tolist())]
    return [_values(row, f"data.{index}") for index, row in enumerate(np.atleast_2d(array).tolist())]


def _row(row: Mapping[Any, Any], index: int) -> dict[str, Any]:
    return {str(name): _value(value, f"rows.{index}.{name}") for name, value in row.items()}


def _is_column(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return hasattr(value, "to_list") or (isinstance(value, Sequence) and not isinstance(value, str | bytes))


def _values(values: Any, where: str) -> list[Any]:  # noqa: ANN401 - a list, a series or an array
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        message = f"{where}: a column should be a list of values, as the others are"
        raise ValueError(message)  # noqa: TRY004 - one kind of error for every wrong input
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return [_value(value, f"{where}.{index}") for index, value in enumerate(listed)]


def _value(value: Any, where: str) -> Any:  # noqa: ANN401 - an element of anything
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isinf(value):
            raise ValueError(f"{where}: infinity cannot be sent; JSON has no such number")
        return None if math.isnan(value) else value
    if type(value).__name__ in {"NAType", "NaTType"}:  # pandas' missing values, told without importing it
        return None
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_value(part, f"{where}.{index}") for index, part in enumerate(value)]
    raise ValueError(f"{where}: {type(value).__name__} is no JSON value; give a number, a text, true or false")
