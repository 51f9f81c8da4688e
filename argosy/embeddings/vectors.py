"""What a model answers to one vector a row: pooled over the tokens, cut, brought to length one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from argosy.signature.spec import Embedding, Pooling

Array = NDArray[Any]
Vectors = NDArray[np.float32]


def vectors(values: Array, mask: Array | None, embedding: Embedding, dimensions: int | None = None) -> Vectors:
    """Return one vector a row, of the first `dimensions` where that is given.

    `mask` is 1 for the tokens of each row and 0 for the padding. Raises ValueError when the values are not of those
    rows, or a vector would not be finite.
    """
    pooled: Vectors = _pooled(values, mask, embedding.pooling).astype(np.float32, copy=False)
    if pooled.ndim != 2:  # noqa: PLR2004 - rows and dimensions
        raise ValueError(f"the output has the shape {list(values.shape)}, which is not one vector a row")
    pooled = pooled[:, :dimensions].copy()
    if embedding.normalize:
        lengths = np.linalg.norm(pooled, axis=1, keepdims=True)
        lengths[lengths == 0] = 1
        pooled /= lengths
    if not np.isfinite(pooled).all():
        raise ValueError("the model answers with numbers that are not finite")
    return pooled


def _pooled(values: Array, mask: Array | None, pooling: Pooling) -> Array:
    if pooling is Pooling.NONE or mask is None:
        return values
    if values.shape[:2] != mask.shape:
        raise ValueError(f"the output has the shape {list(values.shape)}, which is not one vector a token")
    if pooling is Pooling.CLS:
        first: Array = values[:, 0]
        return first
    weights = mask.astype(np.float32)
    mean: Array = np.einsum("rtd,rt->rd", values.astype(np.float32), weights) / weights.sum(axis=1, keepdims=True)
    return mean
