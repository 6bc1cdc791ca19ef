"""The libraries' side of the forest benchmark; runs in any environment that has scikit-learn.

Input: a `Job`. Output: the seconds that a fit and its predictions take, and the score.

    python -m evals.kernel_cases.forest_library '{"model": "RandomForestRegressor", "rows": 20000}'

prints them as JSON, with scikit-learn-intelex where it is installed.
"""

import json
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from evals.kernel_cases.base import Clock, seconds_of

COLUMNS = 25


@dataclass(frozen=True)
class Job:
    """A forest on generated rows, four fifths of them for training."""

    model: str
    rows: int
    trees: int = 20
    max_features: float = 1 / 3
    min_samples_leaf: int = 5

    @property
    def classifies(self) -> bool:
        return self.model.endswith("Classifier")

    @property
    def params(self) -> dict[str, Any]:
        return {
            "n_estimators": self.trees,
            "max_features": self.max_features,
            "min_samples_leaf": self.min_samples_leaf,
            "random_state": 0,
        }


def data(job: Job) -> tuple[np.ndarray, np.ndarray, int]:
    """Features (n, p), of which seven have few values, a target (n,), and the training rows."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(job.rows, COLUMNS))
    x[:, 18:] = rng.integers(0, 12, size=(job.rows, 7))
    y = 2 * x[:, 0] + 2 * np.sin(3 * x[:, 1]) + x[:, 2] * x[:, 3] + x[:, 4] ** 2
    y += 2 * (x[:, 18] > 5) + 0.5 * x[:, 5:12].sum(axis=1) + rng.normal(size=job.rows)
    if job.classifies:
        y = (y > np.median(y)).astype(float)
    return x, y, job.rows * 4 // 5


def score(job: Job, y: np.ndarray, found: np.ndarray) -> float:
    from sklearn.metrics import r2_score, roc_auc_score

    return float(roc_auc_score(y, found[:, 1]) if job.classifies else r2_score(y, found))


def measure(job: Job, threads: int = 1, clock: Clock = seconds_of) -> dict[str, float]:
    """Seconds and score."""
    from sklearn import ensemble

    x, y, train = data(job)
    found: list[np.ndarray] = []

    def work() -> None:
        model = getattr(ensemble, job.model)(n_jobs=threads, **job.params).fit(x[:train], y[:train])
        ask = model.predict_proba if job.classifies else model.predict
        found.append(ask(x[train:]))

    seconds = clock(work)
    return {"seconds": seconds, "score": score(job, y[train:], found[0])}


if __name__ == "__main__":
    from sklearnex import patch_sklearn  # type: ignore[import-not-found]

    patch_sklearn(verbose=False)
    print(json.dumps(measure(Job(**json.loads(sys.argv[1])))))
