"""The libraries' side of the nearest-neighbour benchmark; runs where scikit-learn is.

Input: a `Job`. Output: the seconds that plain library code takes for its models on a fold, and
their predictions.

    python -m evals.kernel_cases.neighbours_library '{"rows": 20000, "columns": 30}'

prints the seconds as JSON, with scikit-learn-intelex where it is installed.
"""

import json
import sys
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from evals.kernel_cases.base import Clock, seconds_of

SIZES = (1, 3, 5, 10, 15, 20, 30, 50)
WEIGHTS = ("uniform", "distance")
Fold = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Job:
    """Models of all `SIZES` and `WEIGHTS` on generated rows in `folds` folds.

    With `asked`, the one fold has that many validation rows. Features are measurements, or, with
    `tied`, whole numbers between -4 and 4 in rows that come three times, standardised.
    """

    rows: int
    columns: int
    tied: bool = False
    asked: int = 0

    @property
    def folds(self) -> int:
        return 1 if self.asked else 5


def data(job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, p) of mean 0 and deviation 1, and a target (n,)."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(job.rows, job.columns)) @ (
        np.eye(job.columns) + 0.35 * rng.normal(size=(job.columns, job.columns))
    )
    if job.tied:
        x = np.round(x / x.std(axis=0))[rng.integers(0, job.rows // 3, job.rows)]
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return x, x[:, 0] + np.sin(2 * x[:, 1]) + rng.normal(size=job.rows)


def folds(job: Job) -> list[Fold]:
    from sklearn.model_selection import KFold, ShuffleSplit

    if job.asked:
        splitter: Any = ShuffleSplit(1, test_size=job.asked, random_state=0)
    else:
        splitter = KFold(job.folds, shuffle=True, random_state=0)
    return list(splitter.split(np.empty((job.rows, 1))))


def models(
    job: Job, threads: int = 1, clock: Clock = seconds_of
) -> tuple[float, dict[tuple[int, str], np.ndarray]]:
    """Seconds of all models and folds, fitted one by one (measured on the first fold), and
    predictions by (size, weights)."""
    from sklearn.neighbors import KNeighborsRegressor

    x, y = data(job)
    train, valid = folds(job)[0]
    found = {}

    def work() -> None:
        for size in SIZES:
            for weights in WEIGHTS:
                model = KNeighborsRegressor(size, weights=weights, n_jobs=threads)
                found[size, weights] = model.fit(x[train], y[train]).predict(x[valid])

    return clock(work) * job.folds, found


def shared(job: Job) -> float:
    """Seconds of what a careful user writes in NumPy: one product in float32 per fold chooses
    candidates, float64 orders them, running sums give every size. Without a bound on its error."""
    x, y = data(job)
    train, valid = folds(job)[0]

    def work() -> None:
        points, target = x[train], y[train]
        single, norms = points.astype(np.float32), (points**2).sum(axis=1).astype(np.float32)
        for start in range(0, len(valid), 512):
            asked = x[valid[start : start + 512]]
            ranks = norms - 2 * (asked.astype(np.float32) @ single.T)
            near = np.argpartition(ranks, SIZES[-1] + 8, axis=1)[:, : SIZES[-1] + 8]
            gaps = ((asked[:, None, :] - points[near]) ** 2).sum(axis=2)
            order = np.argsort(gaps, axis=1, kind="stable")[:, : SIZES[-1]]
            rows = np.take_along_axis(near, order, axis=1)
            with np.errstate(divide="ignore"):
                weights = 1 / np.sqrt(np.take_along_axis(gaps, order, axis=1))
            for part in (np.ones_like(weights), weights):
                np.cumsum(part * target[rows], axis=1) / np.cumsum(part, axis=1)

    return seconds_of(work) * job.folds


def main() -> int:
    warnings.simplefilter("ignore")
    try:
        from sklearnex import patch_sklearn  # type: ignore[import-not-found, unused-ignore]

        patch_sklearn(verbose=False)
    except ImportError:
        return 1
    print(json.dumps({"seconds": models(Job(**json.loads(sys.argv[1])))[0]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
