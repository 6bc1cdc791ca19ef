"""The libraries' side of the kernel benchmark; runs in any environment that has scikit-learn.

Input: a `Job`. Output: the seconds that plain library code takes for it, and its scores. Slow
jobs are measured in part: every so many-th model, on the first fold, and scaled up.

    python -m evals.kernel_cases.linear_library '{"family": "ridge", "rows": 20000, "columns": 30}'

prints them as JSON, with scikit-learn-intelex where it is installed.
"""

import json
import sys
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from evals.kernel_cases.base import Clock, seconds_of

FOLDS = 5


@dataclass(frozen=True)
class Job:
    """Models of one family on generated rows, in five folds with a scaler inside of them.

    `models` are measured at most in the library; the others cost what these cost on average.
    """

    family: str
    rows: int
    columns: int
    models: int = 5

    @property
    def members(self) -> list[tuple[str, dict[str, float]]]:
        """Names and parameters of the models."""
        match self.family:
            case "ridge":
                return [("Ridge", {"alpha": float(a)}) for a in np.logspace(-2, 3, 10)]
            case "elastic_net":
                return [
                    ("ElasticNet", {"alpha": float(a), "l1_ratio": ratio})
                    for ratio in RATIOS
                    for a in ALPHAS
                ]
            case "least_squares":
                return [("LinearRegression", {})]
        raise ValueError(f"no family {self.family!r}")


ALPHAS = np.logspace(-3, 0, 20)
RATIOS = (0.2, 0.5, 0.9, 1.0)


def data(job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features (n, p) and a target (n,) that is not quite linear in them."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(job.columns, job.columns)) * 0.35 + np.eye(job.columns)
    x = rng.normal(size=(job.rows, job.columns)) @ mixing
    weights = rng.normal(size=job.columns) * (rng.random(job.columns) < 0.6)
    y = x @ weights + 1.5 * np.sin(x[:, 0] * x[:, 1]) + 2 * rng.normal(size=job.rows)
    return x, y


def folds(job: Job) -> list[tuple[np.ndarray, np.ndarray]]:
    from sklearn.model_selection import KFold

    splitter = KFold(FOLDS, shuffle=True, random_state=0)
    return list(splitter.split(np.empty((job.rows, 1))))


def measure(job: Job, clock: Clock = seconds_of) -> dict[str, Any]:
    """``seconds`` of all models and folds, one by one; ``scores``: position -> mean squared error
    on the first fold, of the models that were run; ``cv``: seconds of ElasticNetCV, or None."""
    from sklearn import linear_model
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = data(job)
    train, valid = folds(job)[0]
    members = job.members
    step = max(len(members) // job.models, 1)
    chosen = range(0, len(members), step)
    taken, scores = [], {}
    for position in chosen:
        name, params = members[position]
        model = make_pipeline(StandardScaler(), getattr(linear_model, name)(**params))
        found: list[np.ndarray] = []

        def work(model: Any = model, found: list[np.ndarray] = found) -> None:
            model.fit(x[train], y[train])
            found.append(model.predict(x[valid]))

        taken.append(clock(work))
        scores[position] = float(np.mean((found[-1] - y[valid]) ** 2))
    seconds = sum(taken) / len(taken) * len(members) * FOLDS
    return {"seconds": seconds, "scores": scores, "cv": _path_seconds(job, x, y)}


def moments_seconds(job: Job, clock: Clock = seconds_of) -> float | None:
    """Seconds of what a careful user writes in NumPy with a BLAS: one product per fold for its
    moments, of which the others make the training rows, one Cholesky decomposition per model."""
    if job.family == "elastic_net":
        return None
    from scipy.linalg import cho_factor, cho_solve

    x, y = data(job)
    split = folds(job)
    alphas = [params.get("alpha", 0.0) for _, params in job.members]

    def work() -> None:
        parts = []
        for _, valid in split:
            rows, target = x[valid], y[valid]
            parts.append((rows.T @ rows, rows.sum(axis=0), rows.T @ target, target.sum()))
        whole = [sum(part[k] for part in parts) for k in range(4)]
        for (train, valid), part in zip(split, parts, strict=True):
            products, sums, answers, total = (a - b for a, b in zip(whole, part, strict=True))
            n = len(train)
            centre = sums / n
            scale = np.sqrt(np.diag(products) / n - centre**2)
            gram = (products - n * np.outer(centre, centre)) / np.outer(scale, scale)
            right = (answers - centre * total) / scale
            weights = np.column_stack([
                cho_solve(cho_factor(gram + alpha * np.eye(len(gram))), right) / scale
                for alpha in alphas
            ])  # fmt: skip
            x[valid] @ weights + (total / n - centre @ weights)

    return clock(work)


def _path_seconds(job: Job, x: np.ndarray, y: np.ndarray) -> float | None:
    """ElasticNetCV, the library's own way to share: warm starts along the path, one Gram matrix
    per fold. One mixing ratio stands for all of them."""
    if job.family != "elastic_net":
        return None
    from sklearn.linear_model import ElasticNetCV
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit_transform(x)
    ratios = list(RATIOS) if job.rows <= 50_000 else [RATIOS[1]]
    search = ElasticNetCV(l1_ratio=ratios, alphas=ALPHAS, cv=folds(job))
    return seconds_of(lambda: search.fit(scaled, y)) * len(RATIOS) / len(ratios)


def main() -> int:
    warnings.simplefilter("ignore")
    try:
        from sklearnex import patch_sklearn  # type: ignore[import-not-found, unused-ignore]

        patch_sklearn(verbose=False)
    except ImportError:
        return 1
    print(json.dumps(measure(Job(**json.loads(sys.argv[1])))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
