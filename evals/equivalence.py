"""Whether kernels that stand in for models of trees score as the libraries do.

    python -m evals.equivalence [--seeds 20] [--only RandomForestRegressor,...]

Scores of kernel and library over random seeds, on the same folds. Output: a row per model and
data set with both means and spreads, the difference, its margin, and whether two one-sided tests
at 5 % find the mean within the margin. The margin is half of the library's spread over
seeds, or `ABSOLUTE` where that is greater. As last line how many rows are equivalent. A row that
is not is no proof of a difference: it may have too few seeds.
"""

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from sklearn.base import clone
from sklearn.model_selection import KFold, StratifiedKFold

from evals.equivalence_data import DATA, MODELS, Data, Model
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
_LEVEL = 0.05


@dataclass(frozen=True)
class Row:
    """Scores over seeds, each the mean over the folds."""

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
        return max(OF_SPREAD * float(self.library.std(ddof=1)), ABSOLUTE)

    @property
    def half_width(self) -> float:
        """Half of the 90 % interval of the difference (Welch): that within the margin is what
        two one-sided tests at 5 % ask."""
        parts = [np.var(s, ddof=1) / len(s) for s in (self.library, self.kernel)]
        total = float(sum(parts))
        if total == 0:
            return 0.0
        sizes = (len(self.library), len(self.kernel))
        freedom = total**2 / sum(p**2 / (n - 1) for p, n in zip(parts, sizes, strict=True))
        quantile = float(stats.t.ppf(1 - _LEVEL, freedom))
        return quantile * float(np.sqrt(total))

    @property
    def equivalent(self) -> bool:
        return abs(self.difference) + self.half_width <= self.margin

    @property
    def spread_p(self) -> float:
        """Of Levene's test that both spread alike over seeds (by medians)."""
        if not (self.library.std() or self.kernel.std()):
            return 1.0
        return float(stats.levene(self.library, self.kernel, center="median").pvalue)


def measure(model: Model, data: Data, seeds: int, known: Registry) -> Row:
    """Scores of `seeds` seeds of the library, and `MORE` times as many of the kernel."""
    x, y = data.make()
    splitter = KFold if data.task == "regression" else StratifiedKFold
    folds = list(splitter(FOLDS, shuffle=True, random_state=0).split(x, y))
    call = parse(model.text, known, "")
    library = [_library(construct(with_params(call, random_state=seed)), data, x, y, folds)
               for seed in range(seeds)]  # fmt: skip
    kernel = []
    for seed in range(1000, 1000 + MORE * seeds):
        fit = statistical(Fit(with_params(call, random_state=seed), data.task))
        kernel.append(_kernel(fit, data, x, y, folds))
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
    seeds: int, only: Sequence[str] = (), tell: Callable[[Row], None] = lambda row: None
) -> list[Row]:
    known = registry()
    found = []
    for model in MODELS:
        if only and model.name not in only:
            continue
        for data in DATA:
            if (data.task == "regression") == model.regression:
                found.append(measure(model, data, seeds, known))
                tell(found[-1])
    return found


def line(row: Row) -> str:
    return (
        f"{row.data:14} {row.metric:9} library {row.library.mean():.4f} ±{row.library.std():.4f}"
        f"  kernel {row.kernel.mean():.4f} ±{row.kernel.std():.4f}"
        f"  difference {row.difference:+.4f} ±{row.half_width:.4f}, margin {row.margin:.4f}"
        f"  {'equivalent' if row.equivalent else 'NOT SHOWN '}"
        f"  spread p={row.spread_p:.2f}  {row.model}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="evals.equivalence", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", default="", help="estimators, separated by commas")
    given = parser.parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        only = tuple(filter(None, given.only.split(",")))
        found = rows(given.seeds, only, lambda row: print(line(row), flush=True))
    print(f"{sum(row.equivalent for row in found)} of {len(found)} equivalent")
    return 0


if __name__ == "__main__":
    sys.exit(main())
