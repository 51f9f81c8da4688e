"""Rows made from the sample to show what the sample alone does not: the cases where conversions go silently wrong."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from argosy.conversion.evidence import Evidence, Kind
from argosy.conversion.frames import Sample, is_text
from argosy.conversion.originals import Original
from argosy.conversion.thresholds import splits_of, steps_of

SEED = 20_240_229
MAX_COLUMNS = 100
THRESHOLDS_A_COLUMN = 12
MAX_THRESHOLD_ROWS = 900
PERMUTED_ROWS = 200
ROWS_A_COLUMN = 2
UNSEEN = "\u2047 never seen"
BEYOND = 10.0
ZERO = 1e-30


class Prober:
    """Makes probes and asks the original about them; a probe it refuses is no evidence."""

    def __init__(self, original: Original, sample: Sample, *, single: bool) -> None:
        self._original = original
        self._sample = sample
        self._single = single
        self._random = np.random.default_rng(SEED)
        texts = [name for name in sample.names if is_text(sample.frame[name])]
        self.text_columns = texts
        self.number_columns = [name for name in sample.names if name not in texts]

    def nullable(self) -> dict[str, bool]:
        """Tell for each column whether the original takes rows in which it is missing."""
        accepted = {}
        for name in self._sample.names:
            if bool(self._sample.frame[name].isna().any()):
                accepted[name] = True
            elif name in self.text_columns:
                accepted[name] = False
            else:
                row = self._changed(name, np.nan, 1)
                accepted[name] = self._original.accepts(Kind.MISSING, self._sample.with_frame(row)) is not None
        return accepted

    def probes(self, nullable: dict[str, bool]) -> list[Evidence]:
        """Return the evidence of every kind of probe that the original answers."""
        made = {
            Kind.PERMUTED: self._permuted(),
            Kind.MISSING: self._missing([name for name, may in nullable.items() if may]),
            Kind.UNSEEN_CATEGORY: self._unseen(),
            Kind.THRESHOLD: self._at_thresholds(),
            Kind.OUT_OF_RANGE: self._beyond(),
        }
        found = []
        for kind, frame in made.items():
            if frame is not None and len(frame):
                evidence = self._original.accepts(kind, self._sample.with_frame(self._representable(frame)))
                found += [evidence] if evidence is not None else []
        return found

    def _representable(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Round numbers to what the ONNX model's inputs can hold, so that both models see the same values."""
        if not self._single:
            return frame
        floats = [name for name in frame.columns if pd.api.types.is_float_dtype(frame[name])]
        return frame.assign(**{name: frame[name].astype(np.float32).astype(np.float64) for name in floats})

    def _rows(self, count: int) -> pd.DataFrame:
        chosen = self._random.integers(0, len(self._sample.frame), count)
        return self._sample.frame.iloc[chosen].reset_index(drop=True)

    def _changed(self, name: str, value: Any, count: int) -> pd.DataFrame:  # noqa: ANN401 - an element of a column
        rows = self._rows(count)
        column = rows[name].astype(float) if isinstance(value, float) else rows[name].astype(object)
        column[:] = value
        return rows.assign(**{name: column})

    def _permuted(self) -> pd.DataFrame:
        count = min(PERMUTED_ROWS, max(len(self._sample.frame), 20))
        rows = self._rows(count)
        return rows.assign(
            **{
                name: self._sample.frame[name].sample(count, replace=True, random_state=index).to_numpy()
                if not isinstance(rows[name].dtype, pd.CategoricalDtype)
                else self._sample.frame[name].sample(count, replace=True, random_state=index).reset_index(drop=True)
                for index, name in enumerate(rows.columns)
            }
        )

    def _missing(self, names: list[str]) -> pd.DataFrame | None:
        parts = [
            self._changed(name, np.nan if name in self.number_columns else None, ROWS_A_COLUMN)
            for name in names[:MAX_COLUMNS]
        ]
        numbers = [name for name in names if name in self.number_columns]
        if numbers:
            parts.append(self._rows(1).assign(**dict.fromkeys(numbers, np.nan)))
        return pd.concat(parts, ignore_index=True) if parts else None

    def _unseen(self) -> pd.DataFrame | None:
        parts = [
            self._changed(name, value, ROWS_A_COLUMN)
            for name in self.text_columns[:MAX_COLUMNS]
            for value in (UNSEEN, "")
        ]
        return pd.concat(parts, ignore_index=True) if parts else None

    def _beyond(self) -> pd.DataFrame | None:
        parts = []
        for name in self.number_columns[:MAX_COLUMNS]:
            column = self._sample.frame[name].dropna().astype(float)
            if column.empty or set(column.unique()) <= {0.0, 1.0}:
                continue
            reach = BEYOND * max(float(column.max() - column.min()), 1.0)
            for value in (float(column.min()) - reach, float(column.max()) + reach):
                whole = float(np.round(value)) if pd.api.types.is_integer_dtype(self._sample.frame[name]) else value
                parts.append(self._changed(name, whole, 1))
        return pd.concat(parts, ignore_index=True) if parts else None

    def _at_thresholds(self) -> pd.DataFrame | None:
        steps = steps_of(self._original.model)
        if len(steps) != 1 or self.text_columns:
            return None
        parts = []
        splits = splits_of(steps[0])
        room = max(MAX_THRESHOLD_ROWS // (3 * max(len(splits), 1)), 1)
        for column, values in sorted(splits.items()):
            if column >= len(self._sample.names):
                continue
            chosen = self._random.permutation(values)[: min(THRESHOLDS_A_COLUMN, room)]
            name = self._sample.names[column]
            parts += [self._changed(name, at, 1) for value in chosen for at in _around(value, single=self._single)]
        return pd.concat(parts[:MAX_THRESHOLD_ROWS], ignore_index=True) if parts else None


def _around(value: float, *, single: bool) -> Iterator[float]:
    if abs(value) < ZERO:
        # LightGBM marks zero by a threshold of 1e-35, whose last digits it does not tell; zero is what data has.
        yield 0.0
        return
    # Neighbours on the grid of the model's inputs: finer ones would not outlive the cast to float32.
    at = np.float32(value) if single else np.float64(value)
    for near in (at, np.nextafter(at, at.dtype.type(-np.inf)), np.nextafter(at, at.dtype.type(np.inf))):
        if np.isfinite(near):
            yield float(near)
