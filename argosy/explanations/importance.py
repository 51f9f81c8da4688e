"""Permutation importance: what the model loses when one feature tells it nothing any more.

Breiman, "Random forests", Machine Learning 45 (2001); for any model, Fisher, Rudin and Dominici, "All models are wrong,
but many are useful", JMLR 20 (2019). A feature is shuffled over the rows, and the score compared with that before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import JsonValue

from argosy.explanations.subject import Features, Matrix, Subject, taken
from argosy.serving.runtime import Tensors
from argosy.signature.predictions import class_name
from argosy.signature.tensors import Batch

Score = Callable[[Tensors], float]


@dataclass(frozen=True, slots=True)
class Importances:
    """How much the score drops for each feature, on the mean, and the standard deviation over the repetitions."""

    baseline: float
    mean: Matrix
    deviation: Matrix


def measure(score: Score, features: Features, batch: Batch, repeats: int, seed: int) -> Importances:
    """Return the importance of each feature."""
    random = np.random.default_rng(seed)
    width = len(features.names)
    baseline = score(batch.tensors)
    drops = np.empty((width, repeats))
    for feature in range(width):
        chosen = np.arange(width)[np.newaxis, :].repeat(batch.rows, axis=0) == feature
        for repeat in range(repeats):
            shuffled = taken(batch.tensors, random.permutation(batch.rows))
            drops[feature, repeat] = baseline - score(features.mix(chosen, shuffled, batch.tensors))
    return Importances(baseline, drops.mean(axis=1), drops.std(axis=1))


def accuracy(subject: Subject, labels: Sequence[JsonValue]) -> Score:
    """Return the share of rows whose label is right."""
    right = np.array([class_name(label) for label in labels if isinstance(label, bool | int | float | str)])
    return lambda tensors: float(np.mean(np.array(subject.labels(tensors, len(right))) == right))


def r2(subject: Subject, labels: Sequence[JsonValue]) -> Score:
    """Return the coefficient of determination, on the mean over the values."""
    right: Matrix = np.array(labels, dtype=np.float64).reshape(len(labels), -1)
    spread = ((right - right.mean(axis=0)) ** 2).sum(axis=0)

    def score(tensors: Tensors) -> float:
        wrong = ((right - subject.values(tensors, len(right))) ** 2).sum(axis=0)
        return float(np.mean(1 - wrong / spread))

    return score


def change(subject: Subject, batch: Batch) -> Score:
    """Return how far answers are from what they were, below nothing."""
    before = subject.values(batch.tensors, batch.rows)
    return lambda tensors: -float(np.abs(subject.values(tensors, batch.rows) - before).mean())
