"""Univariate selections from one scoring of the columns.

Input: features, folds, target. Output: scores; and then the columns that each selector chooses
from them, by scikit-learn's own rule for ties.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_feature_names, _check_n_features

from executor.backends.base import Context
from executor.backends.sides import sides, training_target
from executor.construct import construct
from planner.graph import Op
from planner.ops_encodings import ChosenColumns, ColumnScores


def _scores(op: ColumnScores, inputs: Sequence[Any], context: Context) -> Any:
    features, folds, *target = inputs
    train, _ = sides(features, folds, context)
    selector = construct(op.transformer)
    selector.fit(train, *(training_target(y, folds, context) for y in target))
    return selector.scores_, selector.pvalues_


def _chosen(op: ChosenColumns, inputs: Sequence[Any], context: Context) -> Any:
    (scores, pvalues), features, folds = inputs
    train, valid = sides(features, folds, context)
    selector = construct(op.transformer)
    _check_feature_names(selector, train, reset=True)
    _check_n_features(selector, train, reset=True)
    selector._check_params(train, None)  # warns of a k that is too large
    selector.scores_ = np.asarray(scores)
    selector.pvalues_ = pvalues
    return selector.transform(train), selector.transform(valid)


RUN: dict[type[Op], Callable[[Any, Sequence[Any], Context], Any]] = {
    ColumnScores: _scores,
    ChosenColumns: _chosen,
}
