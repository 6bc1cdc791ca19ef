"""Gradient boosting on bins: 100 trees of 31 leaves, against three libraries on the same rows.

`difference` is that of the error on held-out rows from LightGBM's, relative, as a mean over draws
of the data; its bound is the most by which HistGradientBoosting, which grows the same trees from
other bins, differs from LightGBM on one of the draws. The limit of a row is the time to read
codes and gradients of all rows once a tree.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from evals.kernel_cases.base import (
    Case,
    Machine,
    Outcome,
    Target,
    both_threads,
    clock_seconds_of,
    seconds_of,
)
from evals.kernel_cases.memory import memory_of
from rust_exec import BinnedRows, BoostingModel, boosting

TREES = 100
LEAVES = 31
COLUMNS = 30
VALUES = 3590  # distinct strings of the column behind the factorised case
DRAWS = 4


@dataclass(frozen=True)
class Job:
    """A fifth of the rows is held out. `derived` columns are components of one string column."""

    rows: int
    binary: bool = False
    derived: bool = False


@dataclass(frozen=True)
class Rows:
    x: np.ndarray
    y: np.ndarray
    valid: np.ndarray
    wanted: np.ndarray


def data(job: Job, draw: int = 0) -> Rows:
    rng = np.random.default_rng(draw)
    x = rng.normal(size=(job.rows, COLUMNS))
    if job.derived:
        x[:, 5:] = rng.normal(size=(VALUES, COLUMNS - 5))[rng.integers(0, VALUES, job.rows)]
    y = 3 * x[:, 0] + 2 * np.sin(3 * x[:, 1]) + (1 + x[:, 2]) * (1 + x[:, 6]) + np.abs(x[:, 7])
    y += rng.normal(size=job.rows)
    if job.binary:
        y = (y > np.median(y)).astype(float)
    cut = job.rows // 5
    return Rows(x[cut:], y[cut:], x[:cut], y[:cut])


def error(job: Job, rows: Rows, scores: np.ndarray) -> float:
    """Root mean squared error, or log loss of log-odds."""
    if job.binary:
        return float(np.mean(np.logaddexp(0, scores) - rows.wanted * scores))
    return float(np.sqrt(np.mean((scores - rows.wanted) ** 2)))


def ours(job: Job, rows: Rows, threads: int = 1, detect: bool = True) -> np.ndarray:
    binned = BinnedRows(rows.x, rows.valid, cuts="lightgbm", detect=detect, threads=threads)
    model = BoostingModel(loss="logistic" if job.binary else "squared", stages=(TREES,))
    return np.asarray(boosting(binned, rows.y, [model], threads=threads)[0][0, 0])


def lightgbm(job: Job, rows: Rows, threads: int = 1) -> np.ndarray:
    from lightgbm import LGBMClassifier, LGBMRegressor

    kind = LGBMClassifier if job.binary else LGBMRegressor
    model = kind(n_estimators=TREES, num_leaves=LEAVES, n_jobs=threads, verbose=-1)
    return np.asarray(model.fit(rows.x, rows.y).predict(rows.valid, raw_score=True))


def xgboost(job: Job, rows: Rows) -> np.ndarray:
    from xgboost import XGBClassifier, XGBRegressor

    kind = XGBClassifier if job.binary else XGBRegressor
    model = kind(
        n_estimators=TREES, max_leaves=LEAVES, max_depth=0, grow_policy="lossguide",
        learning_rate=0.1, tree_method="hist", n_jobs=1,
    )  # fmt: skip
    return np.asarray(model.fit(rows.x, rows.y).predict(rows.valid, output_margin=True))


def histogram(job: Job, rows: Rows) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    options: dict[str, Any] = {"max_iter": TREES, "early_stopping": False}
    if job.binary:
        classifier = HistGradientBoostingClassifier(**options).fit(rows.x, rows.y)
        return np.asarray(classifier.decision_function(rows.valid))
    return np.asarray(
        HistGradientBoostingRegressor(**options).fit(rows.x, rows.y).predict(rows.valid)
    )


def _measured(job: Job, machine: Machine) -> Outcome:
    rows = data(job)
    work: Callable[..., np.ndarray] = partial(ours, job, rows)
    libraries: dict[str, Callable[[], np.ndarray]] = {
        "LightGBM": partial(lightgbm, job, rows),
        "XGBoost": partial(xgboost, job, rows),
        "HistGradientBoosting": partial(histogram, job, rows),
    }
    if job.derived:
        libraries = {
            "LightGBM": libraries["LightGBM"],
            "itself by rows": partial(ours, job, rows, detect=False),
        }
    gaps, others = _gaps(job)
    moved = TREES * len(rows.x) * (COLUMNS + 8.0)
    return Outcome(
        ours=seconds_of(work),
        libraries={name: seconds_of(library) for name, library in libraries.items()},
        limit=machine.seconds(moved),
        difference=abs(float(np.mean(gaps))),
        bound=float(np.max(np.abs(others))),
        memory=memory_of(work, [rows.x, rows.y, rows.valid]),
        two=both_threads(
            work, "LightGBM", lambda: clock_seconds_of(partial(lightgbm, job, rows, 2))
        ),
    )


def _gaps(job: Job) -> tuple[list[float], list[float]]:
    """Relative differences from LightGBM's error, by draw: ours, HistGradientBoosting's."""
    gaps, others = [], []
    for draw in range(DRAWS if job.rows <= 50_000 else 3):
        rows = data(job, draw)
        errors = [error(job, rows, fit(job, rows)) for fit in (lightgbm, ours, histogram)]
        gaps.append(errors[1] / errors[0] - 1)
        others.append(errors[2] / errors[0] - 1)
    return gaps, others


def _case(job: Job, *targets: Target) -> Case:
    kind = "binary" if job.binary else "squared"
    name = f"{kind}, {TREES} trees x {LEAVES} leaves, {job.rows // 1000}k x {COLUMNS}"
    if job.derived:
        name += f", {COLUMNS - 5} columns of {VALUES} strings"
    return Case("boosting", name, partial(_measured, job), targets)


CASES = (
    _case(Job(20_000), Target(2.0, over="LightGBM")),
    _case(Job(200_000), Target(1.5, over="LightGBM")),
    _case(Job(20_000, binary=True)),
    _case(Job(200_000, binary=True)),
    _case(Job(200_000, derived=True)),
)
