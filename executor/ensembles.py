"""Beginnings of fitted ensembles: the model that fewer rounds or trees would have given.

Input: a fitted boosting model, forest or bagging ensemble. Output: an object with those of its
prediction methods that the model has, answering from the first rounds or trees alone, to the
last bit as a model fitted with that many. `planner.rules.prefixes` lists the parameters for
which that holds; `complete` finds out what only the data decide.

scikit-learn's ensembles may stop before the number asked for (AdaBoost that has nothing left to
learn, `early_stopping`, `n_iter_no_change`). They stop where they would have stopped whatever
the number, and keep all trees until there, so that a smaller model is still a beginning.
"""

from collections.abc import Callable
from copy import copy
from functools import partial
from itertools import islice
from types import SimpleNamespace
from typing import Any

METHODS = ("predict", "predict_proba", "decision_function")


def complete(estimator: Any, size: int) -> bool:
    """Whether the first trees of `estimator`, fitted with `size`, are those of the first rounds.

    LightGBM leaves rounds out that find no split, and may find some again later with another
    sample of rows: the trees that there are then come from rounds that cannot be told.
    """
    if hasattr(estimator, "booster_"):  # LightGBM
        return int(estimator.booster_.current_iteration()) == size
    if hasattr(estimator, "get_booster"):  # XGBoost
        return int(estimator.get_booster().num_boosted_rounds()) == size
    return True


def first(estimator: Any, size: int) -> Any:
    """The beginning of `estimator` that a fit with `size` rounds or trees would have given.

    It shares its trees with `estimator`, and holds nothing but what predictions take.
    """
    if hasattr(estimator, "booster_"):
        return _methods(lambda ask: partial(ask, num_iteration=size), estimator)
    if hasattr(estimator, "get_booster"):
        return _methods(lambda ask: partial(ask, iteration_range=(0, size)), estimator)
    if hasattr(estimator, "staged_predict") and not hasattr(estimator, "estimators_"):
        stages = min(size, estimator.n_iter_)  # HistGradientBoosting, which keeps trees private
        return _methods(lambda ask: partial(_stage, ask, stages), estimator, "staged_")
    shorter = copy(estimator)
    shorter.n_estimators = size  # bagging divides by it
    for name in ("estimators_", "estimators_features_", "estimator_weights_"):
        if hasattr(estimator, name):
            setattr(shorter, name, getattr(estimator, name)[:size])
    if hasattr(estimator, "n_estimators_"):
        shorter.n_estimators_ = len(shorter.estimators_)
    return shorter


def _methods(
    bound: Callable[[Callable[..., Any]], Callable[..., Any]], estimator: Any, prefix: str = ""
) -> SimpleNamespace:
    """The prediction methods of `estimator` under their usual names, each as `bound` makes it."""
    found = {name: getattr(estimator, prefix + name, None) for name in METHODS}
    return SimpleNamespace(**{name: bound(ask) for name, ask in found.items() if ask is not None})


def _stage(stages: Callable[[Any], Any], number: int, rows: Any) -> Any:
    """What the stage of this number says, counted from 1."""
    return next(islice(stages(rows), number - 1, None))
