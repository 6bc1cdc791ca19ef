"""Fits that a kernel stands in for, where it can take the data; else the library's.

Input: a `TreesFit` (or a `PrefixFit` of one) and what a Fit reads. Output: fitted models, whose
predictions on the validation rows are known already. Where the kernel cannot take the data, the
library fits, and a warning of the category `LibraryFitted` says so: the score is then exact.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from executor.backends.base import Context
from executor.backends.sides import sides, training_target
from executor.models import FittedModel
from planner.graph import Op
from planner.ops import Fit
from planner.ops_trees import TreesFit

Run = Callable[[Any, Sequence[Any], Context], Any]
# Predictions on the validation rows of each size, and the classes; or why there are none.
Answer = tuple[list[np.ndarray], np.ndarray | None] | str


class LibraryFitted(UserWarning):
    """A kernel could not stand in. `planner.fidelity` looks for the name."""


class Answered:
    """A model that has been asked all it ever will be: predictions of the validation rows."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def predict(self, rows: Any) -> np.ndarray:
        """(n_valid,)"""
        return self._values


class AnsweredClasses:
    """As `Answered`, for classes in their sorted order: probabilities (n_valid, classes)."""

    def __init__(self, probabilities: np.ndarray, classes: np.ndarray) -> None:
        self._probabilities = probabilities
        self.classes_ = classes

    def predict(self, rows: Any) -> np.ndarray:
        return np.asarray(self.classes_[np.argmax(self._probabilities, axis=1)])

    def predict_proba(self, rows: Any) -> np.ndarray:
        return self._probabilities


def table(fit: Callable[[Fit, Sequence[Any], Context], FittedModel]) -> dict[type[Op], Run]:
    """What runs a `TreesFit`, where `fit` runs a Fit by the library."""

    def run(op: TreesFit, inputs: Sequence[Any], context: Context) -> FittedModel:
        found = stand_ins([op], inputs, context)
        return fit(op, inputs, context) if found is None else found[0]

    return {TreesFit: run}


def stand_ins(
    fits: Sequence[Fit], inputs: Sequence[Any], context: Context
) -> list[FittedModel] | None:
    """A model for each of `fits`, which differ only in their number of trees or rounds; None
    where the library is to fit them."""
    features, folds, target, *weights = inputs
    train, valid = sides(features, folds, context)
    y = training_target(target, folds, context)
    weight = np.asarray(weights[0])[folds[context.position][0]] if weights else None
    answer = _asked(fits, train, y, weight, valid, context.threads)
    if isinstance(answer, str):
        text = f"{fits[0].estimator.name} was fitted by its library, and is exact: {answer}."
        warnings.warn(text, LibraryFitted, stacklevel=2)
        return None
    values, classes = answer
    transformer = target[1] if isinstance(target, tuple) else None
    estimators = (
        Answered(one) if classes is None else AnsweredClasses(one, classes) for one in values
    )
    return [
        FittedModel(estimator, valid, op, classes, False, transformer)
        for op, estimator in zip(fits, estimators, strict=True)
    ]


def _asked(
    fits: Sequence[Fit],
    train: Any,
    y: np.ndarray,
    weight: np.ndarray | None,
    valid: Any,
    threads: int,
) -> Answer:
    from executor.backends.rust import HAS_KERNELS

    if not HAS_KERNELS:
        return "there are no kernels on this platform"
    from executor.backends.rust import trees

    return trees.answer(fits, train, y, weight, valid, threads)
