"""Whether kernels that stand in for models of trees score as the libraries do.

    python -m evals.equivalence [--seeds 120] [--only RandomForestRegressor,...] [--jobs N]
        [--json FILE]

Scores of kernel and library over random seeds, each the mean over the folds of one of
`PARTITIONS` partitions of the rows. Seeds are compared within partitions, so that what the folds
do to both is no part of the spread, and what holds for one partition alone weighs a quarter.
Output: a row per model and data set with both means and spreads, the difference, its margin, and
whether two one-sided tests at 5 % find the mean within the margin. The margin is half of the
library's spread over seeds, or `ABSOLUTE` where that is greater. As last line how many rows are
equivalent. A row that is not is no proof of a difference: it may have too few seeds.
"""

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from sklearn.base import clone
from sklearn.model_selection import KFold, StratifiedKFold
from threadpoolctl import threadpool_limits

from evals.equivalence_data import DATA, MODELS, Data, Model
from evals.measure import cores
from executor.backends.base import Context
from executor.backends.trees import stand_ins
from executor.construct import construct
from executor.introspect import registry
from planner.expressions import parse, with_params
from planner.ops import Fit, Task
from planner.registry import Registry
from planner.trees import statistical

ABSOLUTE = 0.002
OF_SPREAD = 0.5
# Seeds of the kernel for each of the library, which takes much longer.
MORE = 3
FOLDS = 3
PARTITIONS = 4
LEVEL = 0.05


@dataclass(frozen=True)
class Row:
    """Scores (partitions, seeds), each the mean over the folds."""

    model: str
    data: str
    metric: str
    library: np.ndarray
    kernel: np.ndarray

    @property
    def difference(self) -> float:
        return float(self.kernel.mean() - self.library.mean())

    @property
    def margin(self) -> float:
        return max(OF_SPREAD * _spread(self.library), ABSOLUTE)

    @property
    def half_width(self) -> float:
        """Half of the 90 % interval of the difference (Welch): that within the margin is what
        two one-sided tests at 5 % ask."""
        return float(stats.t.ppf(1 - LEVEL, self._freedom)) * self.error

    @property
    def error(self) -> float:
        """Standard error of the difference."""
        return float(np.sqrt(sum(_of_mean(s) for s in (self.library, self.kernel))))

    @property
    def _freedom(self) -> float:
        scores = (self.library, self.kernel)
        below = sum(_of_mean(s) ** 2 / (s.size - len(s)) for s in scores)
        return float(self.error**4 / below) if below else 1.0

    @property
    def equivalent(self) -> bool:
        return abs(self.difference) + self.half_width <= self.margin

    @property
    def different_p(self) -> float:
        """Of the test that the means are no further apart than the margin."""
        beyond = abs(self.difference) - self.margin
        if not self.error:
            return float(beyond <= 0)
        return float(stats.t.sf(beyond / self.error, self._freedom))

    @property
    def spread_p(self) -> float:
        """Of Levene's test that both spread alike over seeds (by medians)."""
        library, kernel = (
            (s - np.median(s, axis=1, keepdims=True)).ravel() for s in (self.library, self.kernel)
        )
        if not (library.std() or kernel.std()):
            return 1.0
        return float(stats.levene(library, kernel, center="median").pvalue)


def _spread(scores: np.ndarray) -> float:
    """Standard deviation over the seeds of a partition."""
    return float(np.sqrt(scores.var(axis=1, ddof=1).mean()))


def _of_mean(scores: np.ndarray) -> float:
    """Variance of the mean of all scores."""
    return _spread(scores) ** 2 / scores.size


def measure(model: Model, data: Data, seeds: int, known: Registry) -> Row:
    """Scores of `seeds` seeds of the library, spread over the partitions, and `MORE` times as
    many of the kernel."""
    x, y = data.make()
    splitter = KFold if data.task == "regression" else StratifiedKFold
    call = parse(model.text, known, "")
    library, kernel = [], []
    each = max(2, seeds // PARTITIONS)
    for part in range(PARTITIONS):
        folds = list(splitter(FOLDS, shuffle=True, random_state=part).split(x, y))
        own = range(each * part, each * (part + 1))
        estimators = (construct(with_params(call, random_state=seed)) for seed in own)
        library.append([_library(one, data, x, y, folds) for one in estimators])
        own = range(1000 + MORE * each * part, 1000 + MORE * each * (part + 1))
        fits = (statistical(Fit(with_params(call, random_state=s), data.task)) for s in own)
        kernel.append([_kernel(fit, data, x, y, folds) for fit in fits])
    return Row(model.text, data.name, data.metric, np.array(library), np.array(kernel))


def _library(estimator: Any, data: Data, x: Any, y: Any, folds: Sequence[Any]) -> float:
    found = []
    for train, valid in folds:
        fitted = clone(estimator).fit(x[train], y[train])
        found.append(data.score(y[valid], _asked(fitted, data.task, x[valid])))
    return float(np.mean(found))


def _kernel(fit: Fit, data: Data, x: Any, y: Any, folds: Sequence[Any]) -> float:
    found = []
    for fold, (_, valid) in enumerate(folds):
        models = stand_ins([fit], [x, folds, y], Context(fold))
        if models is None:
            raise RuntimeError(f"no kernel stood in for {fit.estimator.name}")
        found.append(data.score(y[valid], _asked(models[0].estimator, data.task, x[valid])))
    return float(np.mean(found))


def _asked(fitted: Any, task: Task, rows: Any) -> Any:
    return fitted.predict(rows) if task == "regression" else fitted.predict_proba(rows)


def rows(
    seeds: int,
    only: Sequence[str] = (),
    tell: Callable[[Row], None] = lambda row: None,
    jobs: int = 1,
) -> list[Row]:
    """Rows of the models in `only` (of all if that is empty), measured in `jobs` processes.

    Each of them uses one thread: the libraries' scores must not depend on that, and threads of
    OpenMP that wait for a busy core can take twenty times as long.
    """
    asked = [
        (model, data)
        for model in MODELS
        if not only or model.name in only
        for data in DATA
        if (data.task == "regression") == model.regression
    ]
    if jobs == 1:
        done = []
        for model, data in asked:
            done.append(_alone(model.text, data.name, seeds))
            tell(done[-1])
        return done
    # Processes of their own beginning: threads that libraries have started do not survive a fork.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_alone, model.text, data.name, seeds) for model, data in asked]
        for future in as_completed(waiting):
            tell(future.result())
        return [future.result() for future in waiting]


def _alone(text: str, name: str, seeds: int) -> Row:
    model = next(model for model in MODELS if model.text == text)
    data = next(data for data in DATA if data.name == name)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return measure(model, data, seeds, registry())


def line(row: Row) -> str:
    return (
        f"{row.data:14} {row.metric:9} library {row.library.mean():.4f} ±{_spread(row.library):.4f}"
        f"  kernel {row.kernel.mean():.4f} ±{_spread(row.kernel):.4f}"
        f"  difference {row.difference:+.4f} ±{row.half_width:.4f}, margin {row.margin:.4f}"
        f"  {'equivalent' if row.equivalent else 'NOT SHOWN '}"
        f"  spread p={row.spread_p:.2f}  {row.model}"
    )


def _as_json(row: Row) -> dict[str, object]:
    return {
        **{name: getattr(row, name) for name in ("model", "data", "metric")},
        "library": {"mean": float(row.library.mean()), "spread": _spread(row.library)},
        "kernel": {"mean": float(row.kernel.mean()), "spread": _spread(row.kernel)},
        "seeds": {"library": row.library.size, "kernel": row.kernel.size},
        **{name: getattr(row, name) for name in ("difference", "half_width", "margin")},
        **{name: getattr(row, name) for name in ("equivalent", "different_p", "spread_p")},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="evals.equivalence", description=__doc__)
    parser.add_argument("--seeds", type=int, default=120, help="of the library, for each row")
    parser.add_argument("--only", default="", help="estimators, separated by commas")
    parser.add_argument("--jobs", type=int, default=cores(), help="processes (default: cores)")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    given = parser.parse_args(arguments)
    only = tuple(filter(None, given.only.split(",")))
    found = rows(given.seeds, only, lambda row: print(line(row), flush=True), given.jobs)
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps([_as_json(row) for row in found], indent=1)
        given.json.write_text(text + "\n", encoding="utf-8")
    print(f"{sum(row.equivalent for row in found)} of {len(found)} equivalent")
    return 0


if __name__ == "__main__":
    sys.exit(main())
