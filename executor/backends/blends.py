"""Blends and out-of-fold features, in plain NumPy.

Input: predictions of members, as ``(values, method, classes)`` of one fold each. Output: the
same triple for a blend, a matrix of all rows for a stack. See `planner.ops_blend`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from executor.backends.base import Context
from planner.errors import DataError
from planner.graph import Op
from planner.ops_blend import Blend, OutOfFold, WithHeldOut

Array = np.ndarray[Any, Any]
Answer = tuple[Array, str, Any]


def _blend(op: Blend, inputs: Sequence[Any], context: Context) -> Answer:
    answers: list[Answer] = list(inputs[1:])
    classes = _labels(answers)
    members = _means(op.counts, [_columns(answer, classes) for answer in answers])
    if op.how == "rank_mean":
        members = [_ranks(values) for values in members]
    combined = np.average(np.stack(members), axis=0, weights=op.weights or None)
    if op.how == "rank_mean":
        # Only now: equal sums of ranks are to stay equal.
        combined = combined / len(combined)
    if op.method == "predict" and classes is not None:
        return classes[np.argmax(combined, axis=1)], "predict", classes
    return combined, op.method, classes


def _labels(answers: Sequence[Answer]) -> Array | None:
    """All classes that the members know, sorted; None if they predict values."""
    if answers[0][2] is None:
        return None
    return np.unique(np.concatenate([np.asarray(classes) for _, _, classes in answers]))


def _columns(answer: Answer, labels: Array | None) -> Array:
    """What a member predicted, in double precision: (rows,), or a column for each of `labels`."""
    values, _, classes = answer
    given = np.asarray(values, dtype=np.float64)
    if labels is None or given.ndim == 1:
        return given
    found = np.zeros((len(given), len(labels)))
    found[:, np.searchsorted(labels, np.asarray(classes))] = given
    return found


def _means(counts: Sequence[int], values: Sequence[Array]) -> list[Array]:
    """One array a member: the mean over its seeds."""
    members = []
    start = 0
    for count in counts:
        seeds = values[start : start + count]
        members.append(seeds[0] if count == 1 else np.mean(seeds, axis=0))
        start += count
    return members


def _ranks(values: Array) -> Array:
    """Ranks from 1; of probabilities, those of the last class."""
    return np.asarray(rankdata(values[:, -1] if values.ndim == 2 else values, method="average"))


def _out_of_fold(op: OutOfFold, inputs: Sequence[Any], context: Context) -> Array:
    folds, answers = inputs[0], inputs[1:]
    rows = _partitioned([valid for _, valid in folds], [train for train, _ in folds])
    # The answers of one prediction node follow each other, fold by fold.
    by_node = [answers[at : at + len(folds)] for at in range(0, len(answers), len(folds))]
    labels = _labels(answers)
    return _matrix(op, [_all_rows(node, folds, rows, labels) for node in by_node])


def _with_held_out(op: WithHeldOut, inputs: Sequence[Any], context: Context) -> Array:
    ((_, inside),), outside, answers = inputs[0], inputs[1], inputs[2:]
    labels = _labels(answers)
    values = [_columns(answer, labels).reshape(len(inside), -1) for answer in answers]
    found = _matrix(op, values)
    rows = max(len(outside), 1 + int(inside.max()))
    # Where every fold's models know fewer classes than one fitted on all rows, columns differ.
    if found.shape[1] != outside.shape[1]:
        raise DataError(
            "unseen_class_in_fold",
            "A class has so few rows that the models of the folds know other classes than those "
            "fitted on all rows outside the hold-out.",
            hint="Drop rare classes, or use StratifiedKFold.",
        )
    whole = np.zeros((rows, found.shape[1]))
    whole[: len(outside)] = outside
    whole[inside] = found
    return whole


def _matrix(op: OutOfFold | WithHeldOut, nodes: Sequence[Array]) -> Array:
    """Columns of all members, from what each prediction node says, (rows, 1 or classes)."""
    members = _means(op.counts, nodes)
    if op.task == "binary":
        members = [member[:, -1:] for member in members]
    return np.hstack(members)


def _all_rows(answers: Sequence[Answer], folds: Any, rows: int, labels: Array | None) -> Array:
    """Predictions of one node for all rows: (rows, 1) values or (rows, classes)."""
    found = np.zeros((rows, 1 if labels is None else len(labels)))
    for answer, (_, valid) in zip(answers, folds, strict=True):
        found[valid] = _columns(answer, labels).reshape(len(valid), -1)
    return found


def _partitioned(valid: Sequence[Array], train: Sequence[Array]) -> int:
    """The number of rows, where each that a fold uses is validated exactly once. What no fold
    uses (a hold-out) has no prediction."""
    rows = 1 + max(int(part.max()) for part in (*valid, *train))
    used = np.zeros(rows, dtype=bool)
    for part in (*valid, *train):
        used[part] = True
    times = np.bincount(np.concatenate(valid), minlength=rows)
    odd = int(np.count_nonzero(times[used] != 1))
    if odd:
        raise DataError(
            "stack_needs_partition",
            f"{odd} of {int(used.sum())} rows are validated never or more than once, so there is "
            "no one out-of-fold prediction of them.",
            hint="Stack under KFold, StratifiedKFold or GroupKFold, or use how 'mean'.",
        )
    return rows


RUN: dict[type[Op], Callable[[Any, Sequence[Any], Context], Any]] = {
    Blend: _blend,
    OutOfFold: _out_of_fold,
    WithHeldOut: _with_held_out,
}
