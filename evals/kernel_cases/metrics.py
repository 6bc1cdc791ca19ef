"""Metrics of many prediction vectors of one target, and the library's, one at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import sklearn.metrics

from evals.kernel_cases.base import (
    Case,
    Machine,
    Outcome,
    Target,
    both_threads,
    relative_difference,
    seconds_of,
)
from evals.kernel_cases.memory import memory_of
from executor.backends.base import Context, Work
from executor.backends.rust import RustBackend
from planner.ops import Method, Score, Task

_DIFFERENCE = 1e-12
_CLASSES = 5
# Sorting by digits of 11 bits moves every 64-bit key twice at these sizes: read, write.
_SORTED = 2 * 16


@dataclass(frozen=True)
class _Job:
    """Metrics of `vectors` answers on `rows` rows, by (metric, function, arguments)."""

    task: Task
    method: Method
    rows: int
    vectors: int
    library: tuple[tuple[str, str, tuple[tuple[str, Any], ...]], ...]
    moved: float  # bytes that a row of a vector costs at least


def _data(job: _Job) -> tuple[np.ndarray, list[np.ndarray], np.ndarray | None]:
    """Target, answers, classes."""
    rng = np.random.default_rng(0)
    n, m = job.rows, job.vectors
    if job.task == "regression":
        target = rng.normal(5, 3, n)
        table = np.asfortranarray(target[:, None] + rng.normal(size=(n, m)))
        return target, [table[:, j] for j in range(m)], None
    if job.task == "binary":
        y = (rng.random(n) < 0.3).astype(np.int64)
        margin = y[:, None] + rng.normal(size=(n, m))
        table = np.asfortranarray(1 / (1 + np.exp(-margin)))
        return y, [table[:, j] for j in range(m)], np.arange(2)
    classes = np.arange(_CLASSES)
    y = rng.integers(0, _CLASSES, n)
    if job.method == "predict":
        hit = rng.random((m, n)) < 0.6
        return y, [np.where(row, y, rng.integers(0, _CLASSES, n)) for row in hit], classes
    return y, [rng.dirichlet(np.ones(_CLASSES), n) for _ in range(m)], classes


def _measured(job: _Job, machine: Machine) -> Outcome:
    y, answers, classes = _data(job)
    folds = [(np.arange(0), np.arange(job.rows))]
    backend = RustBackend()

    def work(threads: int = 1) -> list[float | None]:
        return backend.together(
            [
                Work(
                    Score(metric, job.task),
                    [(values, job.method, classes), folds, y],
                    Context(0, threads),
                )
                for metric, *_ in job.library
                for values in answers
            ]
        )

    functions: list[Callable[..., float]] = [
        partial(getattr(sklearn.metrics, name), **dict(arguments))
        for _, name, arguments in job.library
    ]

    def library() -> list[float]:
        return [function(y, values) for function in functions for values in answers]

    found = work()
    wanted = np.array(library())
    seconds = seconds_of(library)
    return Outcome(
        ours=seconds_of(work),
        libraries={"scikit-learn": seconds},
        limit=machine.seconds(job.moved * job.rows * job.vectors),
        difference=relative_difference([np.nan if v is None else v for v in found], wanted),
        bound=_DIFFERENCE,
        declined=sum(value is None for value in found),
        memory=memory_of(work, [y, answers]),
        two=both_threads(work, "scikit-learn", seconds),
    )


def _case(name: str, job: _Job, *targets: Target) -> Case:
    short = ", ".join(metric for metric, *_ in job.library)
    title = f"{name} ({short}), {job.vectors} vectors, {job.rows // 1000}k"
    return Case("metrics", title, partial(_measured, job), targets)


_QUANTITIES = (
    ("rmse", "root_mean_squared_error", ()),
    ("mae", "mean_absolute_error", ()),
    ("r2", "r2_score", ()),
    ("medae", "median_absolute_error", ()),
)
_BINARY = (
    ("roc_auc", "roc_auc_score", ()),
    ("average_precision", "average_precision_score", ()),
    ("logloss", "log_loss", ()),
)
_LABELS = (
    ("f1_macro", "f1_score", (("average", "macro"),)),
    ("accuracy", "accuracy_score", ()),
    ("matthews_corrcoef", "matthews_corrcoef", ()),
)
_MANY = (
    ("roc_auc_ovr", "roc_auc_score", (("multi_class", "ovr"),)),
    ("logloss", "log_loss", ()),
)


def _cases(rows: int) -> tuple[Case, ...]:
    return (
        _case("quantities", _Job("regression", "predict", rows, 20, _QUANTITIES, 16)),
        _case("ranking", _Job("binary", "predict_proba", rows, 10, _BINARY, 8 + _SORTED)),
        _case("labels", _Job("multiclass", "predict", rows, 10, _LABELS, 16)),
        _case(
            "classes",
            _Job("multiclass", "predict_proba", rows, 4, _MANY, _CLASSES * (8 + _SORTED)),
        ),
    )


CASES = (*_cases(20_000), *_cases(200_000))
