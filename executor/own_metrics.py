"""Metrics that scikit-learn does not have under a name of their own.

Input: targets and predictions (or boolean hits and scores) of one fold. Output: a float; NaN
where the metric is undefined. `executor.scoring` is the only caller.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn.metrics

from planner.errors import DataError

Vector = np.ndarray[Any, Any]


def smape(y_true: Vector, y_pred: Vector, sample_weight: Vector | None = None) -> float:
    """Symmetric mean absolute percentage error as a fraction, 0..2; 0/0 counts as 0."""
    total = np.abs(y_true) + np.abs(y_pred)
    error = 2.0 * np.abs(y_true - y_pred)
    terms = np.divide(error, total, out=np.zeros(len(total)), where=total > 0)
    return float(np.average(terms, weights=sample_weight))


def wape(y_true: Vector, y_pred: Vector, sample_weight: Vector | None = None) -> float:
    """Sum of absolute errors over the sum of absolute targets."""
    weights = np.ones(len(y_true)) if sample_weight is None else sample_weight
    total = float(np.dot(np.abs(y_true), weights))
    return float(np.dot(np.abs(y_true - y_pred), weights)) / total if total else float("nan")


def rmspe(y_true: Vector, y_pred: Vector, sample_weight: Vector | None = None) -> float:
    """Root mean squared error relative to the target; refuses zero targets."""
    if np.any(y_true == 0):
        raise DataError(
            "metric_domain",
            "The metric 'rmspe' divides by the target, and a fold has targets of 0.",
            hint="Filter those rows out, or use smape or wape.",
        )
    return float(np.sqrt(np.average(((y_true - y_pred) / y_true) ** 2, weights=sample_weight)))


def pearson(y_true: Vector, y_pred: Vector) -> float:
    """Pearson's correlation; NaN where either side is constant."""
    x, y = y_true - y_true.mean(), y_pred - y_pred.mean()
    scale = float(np.sqrt(np.dot(x, x) * np.dot(y, y)))
    return float(np.clip(np.dot(x, y) / scale, -1.0, 1.0)) if scale else float("nan")


def spearman(y_true: Vector, y_pred: Vector) -> float:
    """Spearman's rank correlation, ties at their mean rank."""
    return pearson(_ranks(y_true), _ranks(y_pred))


def _ranks(values: Vector) -> Vector:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Vector = (last - (counts - 1) / 2.0)[inverse]
    return ranks


def gini(hits: Vector, scores: Vector, sample_weight: Vector | None = None) -> float:
    """2 AUC - 1 of the positive class."""
    return 2.0 * float(sklearn.metrics.roc_auc_score(hits, scores, sample_weight=sample_weight)) - 1


def normalized_gini(y_true: Vector, y_pred: Vector, sample_weight: Vector | None = None) -> float:
    """Gini coefficient of the predictions over that of a perfect ranking.

    Ties keep the row order, as in the common competition code (Frees, Meyers and Cummings,
    "Insurance ratemaking and a Gini index", 2014).
    """
    target = np.asarray(y_true, dtype=np.float64)
    weights = np.ones(len(target)) if sample_weight is None else sample_weight
    best = _lorenz_gini(target, target, weights)
    return _lorenz_gini(target, y_pred, weights) / best if best else float("nan")


def _lorenz_gini(target: Vector, order_by: Vector, weights: Vector) -> float:
    order = np.argsort(-order_by.astype(np.float64), kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    total = float(np.dot(target, weights))
    if total == 0 or len(order) < 2:
        return 0.0
    gained = np.cumsum(target[order] * weights[order]) / total
    return float(np.dot(gained[1:], share[:-1]) - np.dot(gained[:-1], share[1:]))


def precision_at_recall(
    hits: Vector, scores: Vector, recall: float, sample_weight: Vector | None = None
) -> float:
    """The best precision of any threshold whose recall is at least `recall`."""
    precisions, recalls, _ = sklearn.metrics.precision_recall_curve(
        hits, scores, sample_weight=sample_weight
    )
    return float(precisions[recalls >= recall].max())


def recall_at_precision(
    hits: Vector, scores: Vector, precision: float, sample_weight: Vector | None = None
) -> float:
    """The best recall of any threshold whose precision is at least `precision`; 0 if none."""
    precisions, recalls, _ = sklearn.metrics.precision_recall_curve(
        hits, scores, sample_weight=sample_weight
    )
    return float(recalls[precisions >= precision].max())


def precision_at_k(hits: Vector, scores: Vector, rows: int) -> float:
    """Share of positives among the `rows` highest scores; ties keep the row order."""
    return float(np.mean(_top(hits, scores, rows)))


def recall_at_k(hits: Vector, scores: Vector, rows: int) -> float:
    """Share of all positives that are among the `rows` highest scores."""
    positives = int(np.count_nonzero(hits))
    return int(np.count_nonzero(_top(hits, scores, rows))) / positives if positives else 0.0


def _top(hits: Vector, scores: Vector, rows: int) -> Vector:
    top: Vector = hits[np.argsort(-scores.astype(np.float64), kind="stable")[:rows]]
    return top


def positive_likelihood_ratio(y_true: Vector, y_pred: Vector, labels: Any) -> float:
    """Sensitivity over the false positive rate; 1 where undefined, as scikit-learn's scorer."""
    return _likelihood_ratio(y_true, y_pred, labels, 0)


def negative_likelihood_ratio(y_true: Vector, y_pred: Vector, labels: Any) -> float:
    """The false negative rate over specificity; 1 where undefined."""
    return _likelihood_ratio(y_true, y_pred, labels, 1)


def _likelihood_ratio(y_true: Vector, y_pred: Vector, labels: Any, which: int) -> float:
    ratios = sklearn.metrics.class_likelihood_ratios(
        y_true, y_pred, labels=labels, replace_undefined_by=1.0
    )
    return float(ratios[which])


OWN: dict[str, Callable[..., float]] = {
    f"own.{function.__name__}": function
    for function in (
        smape,
        wape,
        rmspe,
        pearson,
        spearman,
        gini,
        normalized_gini,
        precision_at_recall,
        recall_at_precision,
        precision_at_k,
        recall_at_k,
        positive_likelihood_ratio,
        negative_likelihood_ratio,
    )
}

# Metrics that compare positives with the rest: undefined where a fold has rows of one class.
RANKING = ("roc_auc_score", "own.gini", "own.normalized_gini")
