"""Samples, whatever they came as: a pandas data frame with named columns, and what the estimator was fitted on."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argosy.conversion.errors import ConversionError, missing_extra
from argosy.conversion.evidence import jsonable

try:
    import pandas as pd
except ImportError as error:
    raise missing_extra("pandas", "sklearn") from error

MAX_SAMPLE_ROWS = 1000
TEXT = "text"


class Sample:
    """Rows of inputs with named columns.

    `like` gives the rows back as what the estimator was fitted on: a data frame, a matrix, or a list of texts.
    """

    def __init__(self, frame: pd.DataFrame, form: str) -> None:
        self.frame = frame
        self.form = form

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [str(name) for name in self.frame.columns]

    def like(self, frame: pd.DataFrame) -> Any:  # noqa: ANN401 - what an estimator takes
        """Return rows as the estimator takes them."""
        if self.form == "text":
            return frame.iloc[:, 0].tolist()
        return frame.to_numpy() if self.form == "matrix" else frame

    def with_frame(self, frame: pd.DataFrame) -> "Sample":
        """Return other rows of the same kind."""
        return Sample(frame, self.form)


def read_sample(model: object, data: object) -> Sample:
    """Read a sample: a pandas or polars data frame, a matrix, columns by name, or texts.

    Raises `ConversionError` when it is none of these, empty, or does not have the columns the model was fitted on.
    """
    frame, form = _frame(data, getattr(model, "feature_names_in_", None))
    if len(frame) == 0 or frame.shape[1] == 0:
        raise ConversionError("sample-empty", "the sample has no rows", "give some rows of the inputs you trained on")
    fitted = getattr(model, "feature_names_in_", None)
    if form != "text" and fitted is not None:
        missing = [str(name) for name in fitted if name not in frame.columns]
        if missing:
            raise ConversionError(
                "sample-columns",
                f"the sample lacks the columns {', '.join(missing[:10])}",
                "give the columns trained on",
            )
        frame, form = frame[list(fitted)], "frame"
    elif form == "frame":
        form = "matrix"
    expected = getattr(model, "n_features_in_", frame.shape[1])
    if form != "text" and frame.shape[1] != expected:
        raise ConversionError("sample-columns", f"the model takes {expected} columns, the sample has {frame.shape[1]}")
    if len(frame) > MAX_SAMPLE_ROWS:
        frame = frame.sample(MAX_SAMPLE_ROWS, random_state=0)
    frame = frame.reset_index(drop=True)
    frame.columns = [str(name) for name in frame.columns]
    return Sample(frame, form)


def _frame(data: object, names: Sequence[str] | None) -> tuple[pd.DataFrame, str]:
    if isinstance(data, pd.DataFrame):
        return data, "frame"
    if hasattr(data, "to_pandas"):
        return data.to_pandas(), "frame"
    if isinstance(data, Mapping):
        return pd.DataFrame({name: list(values) for name, values in data.items()}), "frame"
    if isinstance(data, pd.Series):
        data = data.tolist()
    if isinstance(data, list | tuple) and data and all(isinstance(value, str) for value in data):
        return pd.DataFrame({TEXT: list(data)}), "text"
    array = np.asarray(data)
    if array.ndim == 1 and array.dtype.kind in "OU" and all(isinstance(value, str) for value in array):
        return pd.DataFrame({TEXT: array}), "text"
    if array.ndim != 2:  # noqa: PLR2004 - a matrix
        raise ConversionError("sample-shape", f"the sample has {array.ndim} dimensions, not rows and columns")
    columns = list(names) if names is not None else [f"feature_{index}" for index in range(array.shape[1])]
    return pd.DataFrame(array, columns=columns), "matrix"


def is_text(column: "pd.Series[Any]") -> bool:
    """Tell whether a column holds strings or categories of strings."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return bool(
            column.dtype.categories.dtype.kind in "OUT" or pd.api.types.is_string_dtype(column.dtype.categories)
        )
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return False
    present = column.dropna()
    return bool(all(isinstance(value, str) for value in present))


def values_of(column: "pd.Series[Any]") -> list[Any]:
    """Return a column as JSON values, a missing one as null."""
    return [None if _is_missing(value) else _plain(value) for value in column.tolist()]


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value))


def _plain(value: Any) -> Any:  # noqa: ANN401 - an element of a column
    return value.item() if isinstance(value, np.generic) else value


def listed(array: NDArray[Any]) -> list[Any]:
    """Return an output as plain values."""
    return [jsonable(value) for value in np.asarray(array).tolist()]
