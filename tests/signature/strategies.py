"""Random signatures, rows that fit them, and the tensors that NumPy makes of those rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from argosy.signature.spec import DType, Feature, Signature, Tensor
from tests.signature.factories import signature

NAMES = st.one_of(
    st.sampled_from(["model_config", "copy", "_private", "class", "feature_0", "two words", "é", "$ref", "json"]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
Value = st.SearchStrategy[Any]


@dataclass(frozen=True)
class Case:
    signature: Signature
    rows: list[list[Any]]

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in self.signature.inputs]


def scalars(feature: Feature) -> Value:
    """Return valid values of one element."""
    values: Value
    if feature.enum is not None and not feature.open:
        values = st.sampled_from(feature.enum)
    elif feature.dtype is DType.STRING:
        values = TEXT
    elif feature.dtype is DType.BOOL:
        values = st.booleans()
    elif feature.dtype.is_float:
        width: Any = np.dtype(feature.dtype.value).itemsize * 8
        low, high = feature.minimum, feature.maximum
        values = st.floats(low, high, width=width, allow_nan=False, allow_infinity=False)
        if low is None:
            values |= st.integers(-1000, 1000)
    else:
        info = np.iinfo(feature.dtype.value)
        low, high = (info.min if feature.minimum is None else int(feature.minimum)), int(info.max)
        values = st.integers(low, high) | st.integers(max(low, 0), 100).map(float)
    return values | st.none() if feature.nullable else values


def values(feature: Feature, shape: tuple[int, ...]) -> Value:
    """Return valid values of one row: nested lists when there is a shape."""
    strategy = scalars(feature)
    for size in reversed(shape):
        strategy = st.lists(strategy, min_size=size, max_size=size)
    return strategy


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return a signature with rows that fit it."""
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    in_matrix = draw(st.integers(0, len(names)))
    dtype = draw(st.sampled_from(list(DType)))
    features = [_matrix_feature(draw, name, dtype, index) for index, name in enumerate(names[:in_matrix])]
    tensors = [Tensor(name="\x01matrix", dtype=dtype, shape=[None, in_matrix])] if in_matrix else []
    for name in names[in_matrix:]:
        features.append(_own_feature(draw, name))
        own = features[-1]
        scalar = draw(st.sampled_from([[None], [None, 1]]))
        tensors.append(Tensor(name=name, dtype=own.dtype, shape=[None, *own.shape] if own.shape else scalar))
    features = draw(st.permutations(features))
    count = draw(st.integers(1, 4))
    dims = {
        one.name: tuple(draw(st.integers(1, 3)) if size is None else size for size in one.shape) for one in features
    }
    rows = [[draw(values(one, dims[one.name])) for one in features] for _ in range(count)]
    return Case(signature(*features, tensors=tensors), rows)


def _matrix_feature(draw: st.DrawFn, name: str, dtype: DType, index: int) -> Feature:
    return Feature(name=name, tensor="\x01matrix", index=index, **_options(draw, dtype))


def _own_feature(draw: st.DrawFn, name: str) -> Feature:
    shape: list[int | None] = draw(st.lists(st.sampled_from([None, 1, 2, 3]), max_size=3))
    return Feature(name=name, tensor=name, shape=shape, **_options(draw, draw(st.sampled_from(list(DType)))))


def _options(draw: st.DrawFn, dtype: DType) -> dict[str, Any]:
    can_miss = dtype.is_float or dtype is DType.STRING
    options: dict[str, Any] = {"dtype": dtype, "nullable": can_miss and draw(st.booleans())}
    if options["nullable"] and dtype is DType.STRING:
        options["missing"] = draw(TEXT)
    limit = draw(st.sampled_from(["none", "enum", "open", "minimum"]))
    if limit == "minimum" and (dtype.is_float or dtype.is_integer):
        options["minimum"] = 1.0
    elif limit in {"enum", "open"} and dtype is not DType.BOOL:
        options["enum"] = ["a", "b", "ç"] if dtype is DType.STRING else [1, 2, 3]
        options["open"] = limit == "open"
    return options


def expected(case: Case, tensor: Tensor) -> NDArray[Any]:
    """Return the tensor, made from the rows in the plainest way."""
    carried = [(at, one) for at, one in enumerate(case.signature.inputs) if one.tensor == tensor.name]
    columns = []
    for at, one in sorted(carried, key=lambda pair: pair[1].index or 0):
        filler = one.missing if one.dtype is DType.STRING else np.nan
        kind: Any = {DType.STRING: object}.get(one.dtype, one.dtype.value)
        columns.append(np.array([_filled(row[at], filler, one) for row in case.rows], dtype=kind))
    if carried[0][1].index is not None:
        return np.stack(columns, axis=1)
    if carried[0][1].shape:
        return columns[0]
    return columns[0].reshape(-1, *[1] * (len(tensor.shape) - 1))


def _filled(value: Any, filler: Any, feature: Feature) -> Any:
    if isinstance(value, list):
        return [_filled(part, filler, feature) for part in value]
    if value is None:
        return filler
    return int(value) if feature.dtype.is_integer else value
