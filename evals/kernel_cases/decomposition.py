"""Decompositions: linear models behind PCAs of several sizes, over all folds from one pass."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evals.kernel_cases.base import (
    Case,
    Machine,
    Outcome,
    Target,
    both_threads,
    clock_seconds_of,
    relative_difference,
    seconds_of,
)
from evals.kernel_cases.linear_library import FOLDS, Job, data, folds
from evals.kernel_cases.memory import memory_of
from executor.backends.base import Context
from executor.backends.rust import RustBackend
from planner.errors import StratumError
from planner.expressions import Call
from planner.ops_components import ComponentFolds, ComponentMember

SIZES = (2, 5, 10, 15, 20, 30, 40)
_DIFFERENCE = 1e-9


@dataclass(frozen=True)
class _Grid:
    """Sizes times penalties on generated rows, with a scaler inside of five folds."""

    rows: int
    columns: int
    penalties: int = 1

    @property
    def sizes(self) -> list[int]:
        return [size for size in SIZES if size <= self.columns]

    @property
    def alphas(self) -> list[float]:
        return [float(alpha) for alpha in np.logspace(0, 3, self.penalties)]

    @property
    def job(self) -> Job:
        return Job("ridge", self.rows, self.columns)


def _measured(grid: _Grid, machine: Machine) -> Outcome:
    x, y = data(grid.job)
    split = folds(grid.job)
    members = [ComponentMember(size, Call("Ridge", (("alpha", alpha),)))
               for size in grid.sizes for alpha in grid.alphas]  # fmt: skip
    op = ComponentFolds(Call("PCA"), tuple(members), impute=False, scale=True)
    backend = RustBackend()

    def work(threads: int = 1) -> Any:
        return backend.run(op, [x, split, y], Context(None, threads))

    found = work()
    errors = [
        [_error(fold[position].predictions, y[valid]) for position in range(len(members))]
        for fold, (_, valid) in zip(found, split, strict=True)
    ]
    # Of many penalties the library is timed with one, and takes as long for each.
    seconds = seconds_of(lambda: _each(grid, x, y, split, grid.alphas[:1]))
    # Moments and predictions read the rows once each.
    products = grid.rows * grid.columns * (grid.columns + 2.0 * len(members))
    return Outcome(
        ours=seconds_of(work),
        libraries={
            "scikit-learn": seconds * len(grid.alphas),
            "one PCA per fold": seconds_of(lambda: _shared(grid, x, y, split)),
        },
        limit=machine.seconds(2 * x.nbytes, products),
        difference=relative_difference(errors, _each(grid, x, y, split, grid.alphas)),
        bound=_DIFFERENCE,
        declined=sum(answer.declined is not None for fold in found for answer in fold.values()),
        memory=memory_of(work, [x, y]),
        two=both_threads(
            work,
            "one PCA per fold",
            lambda: clock_seconds_of(lambda: _shared(grid, x, y, split)),
        ),
    )


def _error(predictions: np.ndarray | StratumError, y: np.ndarray) -> float:
    if isinstance(predictions, StratumError):
        raise predictions
    return float(np.mean((predictions - y) ** 2))


def _each(grid: _Grid, x: np.ndarray, y: np.ndarray, split: Any, alphas: list[float]) -> Any:
    """Every pipeline by itself: mean squared errors by fold and member."""
    errors = []
    for train, valid in split:
        rows, target = x[train], y[train]
        models = [
            make_pipeline(StandardScaler(), PCA(size), Ridge(alpha))
            for size in grid.sizes for alpha in alphas
        ]  # fmt: skip
        errors.append([
            _error(model.fit(rows, target).predict(x[valid]), y[valid]) for model in models
        ])  # fmt: skip
    return errors


def _shared(grid: _Grid, x: np.ndarray, y: np.ndarray, split: Any) -> Any:
    """The library as a careful script uses it: one decomposition per fold, cut."""
    errors = []
    for train, valid in split:
        front = make_pipeline(StandardScaler(), PCA(grid.sizes[-1]))
        scores, asked = front.fit_transform(x[train]), front.transform(x[valid])
        models = [(size, Ridge(alpha)) for size in grid.sizes for alpha in grid.alphas]
        errors.append([
            _error(model.fit(scores[:, :size], y[train]).predict(asked[:, :size]), y[valid])
            for size, model in models
        ])  # fmt: skip
    return errors


def _case(grid: _Grid, *targets: Target) -> Case:
    alphas = f" x {grid.penalties} alphas" if grid.penalties > 1 else ""
    size = f"{grid.rows // 1000}k x {grid.columns}"
    name = f"PCA {len(grid.sizes)} sizes -> Ridge{alphas} x {FOLDS} folds, {size}"
    return Case("decomposition", name, partial(_measured, grid), targets)


CASES = (
    _case(_Grid(20_000, 30)),
    _case(_Grid(20_000, 75), Target(100.0)),
    _case(_Grid(20_000, 75, penalties=5)),
    _case(_Grid(200_000, 75)),
)
