"""Rows that a model should take, made from its signature, to find out how it may be run."""

import numpy as np
from numpy.typing import NDArray

from argosy.signature.schema import numpy_type
from argosy.signature.spec import Feature, Signature
from argosy.signature.tensors import layout

ROWS = 9
MOST_ELEMENTS = 1_000_000
SPREAD = 3.0
WORDS = ["a", "word", "and another"]


def sample_tensors(
    signature: Signature, rows: int = ROWS, size: int = 1, most: int = MOST_ELEMENTS
) -> dict[str, NDArray[np.generic]] | None:
    """Return tensors of so many rows, `size` long where a size is free.

    None for a model without a batch, or where that would be more than so many elements.
    """
    if not signature.batched or sum(_elements(feature, size) for feature in signature.inputs) * rows > most:
        return None
    random = np.random.default_rng(0)
    tensors: dict[str, NDArray[np.generic]] = {}
    for tensor, features in layout(signature):
        dtype = numpy_type(tensor.dtype)
        columns = [
            _values(feature, random, (rows, *(length or size for length in feature.shape))) for feature in features
        ]
        if features[0].index is not None:
            tensors[tensor.name] = np.stack(columns, axis=1).astype(dtype)
        elif features[0].shape:
            tensors[tensor.name] = columns[0].astype(dtype)
        else:
            tensors[tensor.name] = columns[0].astype(dtype).reshape(-1, *[1] * (len(tensor.shape) - 1))
    return tensors


def _values(feature: Feature, random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.generic]:
    if feature.enum:
        return random.choice(np.array(feature.enum, dtype=object), shape)
    if feature.dtype == "string":
        return random.choice(np.array(WORDS, dtype=object), shape)
    if feature.dtype == "bool":
        return random.random(shape) < 0.5  # noqa: PLR2004 - as often true as false
    low = _first(feature.seen_minimum, feature.minimum, 0.0 if feature.dtype.startswith("uint") else -SPREAD)
    high = max(low, _first(feature.seen_maximum, feature.maximum, low + 2 * SPREAD))
    values = random.uniform(low, high, shape)
    return np.rint(values) if feature.dtype.is_integer else values


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)


def _elements(feature: Feature, size: int) -> int:
    return int(np.prod([length or size for length in feature.shape], dtype=np.int64))
