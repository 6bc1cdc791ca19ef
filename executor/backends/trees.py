"""Fits that a kernel stands in for, where it can take the data; else the library's.

Input: a `TreesFit` (or a `PrefixFit` of one) and what a Fit reads. Output: fitted models, whose
predictions on the validation rows are known already. Where the kernel cannot take the data, the
library fits, and a warning of the category `LibraryFitted` says so: the score is then exact.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from executor.backends.base import Context
from executor.backends.sides import Split, sides, training_target
from executor.models import FittedModel
from planner.graph import Op
from planner.ops import Fit
from planner.ops_trees import TreesFit

Run = Callable[[Any, Sequence[Any], Context], Any]
# A block of features, and which rows of it are meant: int64 numbers, or all of them.
Part = tuple[Any, np.ndarray | None]
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
    train, valid = _parts(features, folds, context)
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
    # What is left of the rows is how many they were: nothing is asked about them any more.
    asked = np.broadcast_to(np.float64(np.nan), (len(values[0]), int(valid[0].shape[1])))
    return [
        FittedModel(estimator, asked, op, classes, False, transformer)
        for op, estimator in zip(fits, estimators, strict=True)
    ]


def _parts(block: Any, folds: Split, context: Context) -> tuple[Part, Part]:
    """Training and validation rows of the current fold: of a table of float64 by their numbers,
    for the kernels read it as it is."""
    if _doubles(block):
        train, valid = folds[context.position]
        return (block, _numbers(train)), (block, _numbers(valid))
    train, valid = sides(block, folds, context)
    return (train, None), (valid, None)


def _doubles(block: Any) -> bool:
    if isinstance(block, pd.DataFrame):
        return all(dtype == np.float64 for dtype in block.dtypes)
    return isinstance(block, np.ndarray) and block.ndim == 2 and block.dtype == np.float64


def _numbers(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows, dtype=np.int64)


def _asked(
    fits: Sequence[Fit],
    train: Part,
    y: np.ndarray,
    weight: np.ndarray | None,
    valid: Part,
    threads: int,
) -> Answer:
    from executor.backends.rust import HAS_KERNELS

    if not HAS_KERNELS:
        return "there are no kernels on this platform"
    from executor.backends.rust import trees

    return trees.answer(fits, train, y, weight, valid, threads)
