"""Shapley values by sampling orders of the features.

Štrumbelj and Kononenko, "Explaining prediction models and individual predictions with feature contributions",
Knowledge and Information Systems 41 (2014), algorithm 2; the values are those that Lundberg and Lee, "A unified
approach to interpreting model predictions", NeurIPS 2017, call SHAP. An order is walked from a background row to the
explained one, a feature at a time, and what the answer changes by is the feature's. Each background row is walked from
equally often, so that contributions and base add up to the answer however few orders there are, and are exact for a
linear model. Orders come in pairs, one the other backwards, which takes out most of the noise (Mitchell, Cooper, Frank
and Holmes, "Sampling permutations for Shapley value estimation", JMLR 23, 2022).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from argosy.explanations.subject import Features, Matrix, Subject, taken
from argosy.serving.runtime import Tensors
from argosy.signature.tensors import Batch

WALKED_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Explained:
    """Base (numbers), and for each row its answer (rows, numbers) and contributions (rows, features, numbers)."""

    names: list[str]
    base: Matrix
    answers: Matrix
    contributions: Matrix
    background: int
    samples: int


def walks(samples: int, background: int) -> tuple[int, int]:
    """Return how many background rows are walked from, and how many times each."""
    used = min(samples, background)
    return used, -(-samples // used)


def explain(
    subject: Subject, features: Features, batch: Batch, background: Batch, samples: int, seed: int
) -> Explained:
    """Return what each feature adds to the answers of each row."""
    random = np.random.default_rng(seed)
    used, times = walks(samples, background.rows)
    start = taken(background.tensors, random.choice(background.rows, used, replace=False))
    both = {name: np.concatenate([start[name], values]) for name, values in batch.tensors.items()}
    values = subject.values(both, used + batch.rows)
    from_values, answers = values[:used], values[used:]
    ranks = _ranks(used * times, len(features.names), random)
    origins = np.repeat(np.arange(used), times)
    contributions = np.stack(
        [
            _row(
                subject,
                features,
                taken(batch.tensors, np.array([row])),
                answers[row],
                start,
                from_values,
                ranks,
                origins,
            )
            for row in range(batch.rows)
        ]
    )
    return Explained(subject.names, from_values.mean(axis=0), answers, contributions, used, used * times)


def _ranks(count: int, width: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Return in which place each feature comes, for each order (orders, features)."""
    half = random.permuted(np.tile(np.arange(width), (-(-count // 2), 1)), axis=1)
    return np.stack([half, width - 1 - half], axis=1).reshape(-1, width)[:count]


def _row(
    subject: Subject,
    features: Features,
    row: Tensors,
    answer: Matrix,
    start: Tensors,
    from_values: Matrix,
    ranks: NDArray[np.intp],
    origins: NDArray[np.intp],
) -> Matrix:
    width = ranks.shape[1]
    total = np.zeros((width, len(answer)))
    at_once = max(1, WALKED_AT_ONCE // width)
    for first in range(0, len(ranks), at_once):
        part, origin = ranks[first : first + at_once], origins[first : first + at_once]
        steps = np.empty((len(part), width + 1, len(answer)))
        steps[:, 0], steps[:, width] = from_values[origin], answer
        if width > 1:
            # Between its ends a walk has a row for each step: the features that come before it are the explained row's.
            chosen = (part[:, np.newaxis, :] < np.arange(1, width)[:, np.newaxis]).reshape(-1, width)
            mixed = features.mix(chosen, row, taken(start, np.repeat(origin, width - 1)))
            steps[:, 1:width] = subject.values(mixed, len(chosen)).reshape(len(part), width - 1, -1)
        total += np.take_along_axis(np.diff(steps, axis=1), part[:, :, np.newaxis], axis=1).sum(axis=0)
    return total / len(ranks)
