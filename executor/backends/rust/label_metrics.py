"""Metrics of predicted labels from a table of counts.

Input: a confusion matrix. Output: what the functions of sklearn.metrics give for the same rows;
None where they would warn or raise. Labels that neither side has are left out, as they are there.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

Vector = np.ndarray[Any, Any]


class Counts:
    """Rows of each true label (first axis) that are predicted as each label (second axis)."""

    def __init__(self, table: Vector) -> None:
        self._all = table
        self.places = np.flatnonzero(table.sum(axis=0) + table.sum(axis=1))

    @cached_property
    def table(self) -> Vector:
        """The labels that occur."""
        return self._all[np.ix_(self.places, self.places)]

    @cached_property
    def hits(self) -> Vector:
        return np.diagonal(self.table)

    @cached_property
    def true(self) -> Vector:
        return np.asarray(self.table.sum(axis=1))

    @cached_property
    def predicted(self) -> Vector:
        return np.asarray(self.table.sum(axis=0))


Arguments = Mapping[str, Any]
Metric = Callable[[Counts, Arguments, "int | None"], "float | None"]


def _accuracy(counts: Counts, arguments: Arguments, place: int | None) -> float:
    return float(counts.hits.sum() / counts.true.sum())


def _error(counts: Counts, arguments: Arguments, place: int | None) -> float:
    return 1 - _accuracy(counts, arguments, place)


def _balanced_accuracy(counts: Counts, arguments: Arguments, place: int | None) -> float | None:
    known = counts.true > 0
    classes = int(known.sum())
    if len(counts.places) < 2 or classes < 2:
        return None  # a warning is due, or 0 / 0
    value = float(np.mean(counts.hits[known] / counts.true[known]))
    if arguments.get("adjusted"):
        chance = 1 / classes
        value = (value - chance) / (1 - chance)
    return value


def _correlation(counts: Counts, arguments: Arguments, place: int | None) -> float | None:
    """Matthews' coefficient."""
    if len(counts.places) < 2:
        return None
    true, predicted = counts.true.astype(np.float64), counts.predicted.astype(np.float64)
    rows = predicted.sum()
    both = counts.hits.sum(dtype=np.float64) * rows - np.dot(true, predicted)
    spread = (rows**2 - np.dot(predicted, predicted)) * (rows**2 - np.dot(true, true))
    return float(both / np.sqrt(spread)) if spread else 0.0


def _share(part: Callable[[Vector, Vector, Vector, Arguments], tuple[Vector, Vector]]) -> Metric:
    """A metric that divides counts of a label (hits, true, predicted), averaged over labels."""

    def metric(counts: Counts, arguments: Arguments, place: int | None) -> float | None:
        hits, true, predicted = counts.hits, counts.true, counts.predicted
        average = arguments.get("average", "binary")
        if average == "binary":
            at = np.flatnonzero(counts.places == place)
            if place is None or len(counts.places) > 2 or (len(counts.places) == 2 and not at.size):
                return None
            hits, true, predicted = (
                values[at] if at.size else np.zeros(1) for values in (hits, true, predicted)
            )
        elif average == "micro":
            hits, true, predicted = (
                values.sum(keepdims=True) for values in (hits, true, predicted)
            )
        above, below = part(hits, true, predicted, arguments)
        shares = np.full(len(above), float(arguments.get("zero_division", 0)))
        np.divide(above, below, out=shares, where=below != 0)
        return float(np.average(shares, weights=true if average == "weighted" else None))

    return metric


def _beta(hits: Vector, true: Vector, predicted: Vector, arguments: Arguments) -> Any:
    square = arguments.get("beta", 1) ** 2
    return (1 + square) * hits.astype(np.float64), square * true.astype(np.float64) + predicted


def _jaccard(hits: Vector, true: Vector, predicted: Vector, arguments: Arguments) -> Any:
    return hits, true + predicted - hits


LABEL_METRICS: dict[str, Metric] = {
    "accuracy_score": _accuracy,
    "zero_one_loss": _error,
    "balanced_accuracy_score": _balanced_accuracy,
    "matthews_corrcoef": _correlation,
    "f1_score": _share(_beta),
    "fbeta_score": _share(_beta),
    "precision_score": _share(lambda hits, true, predicted, _: (hits, predicted)),
    "recall_score": _share(lambda hits, true, predicted, _: (hits, true)),
    "jaccard_score": _share(_jaccard),
}
