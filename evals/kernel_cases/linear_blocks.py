"""Linear models behind one-hot encoders: from category codes, against encoding every fold.

The factorised design is measured beside the same kernel on the one-hot columns written out, and
beside the library's own pipelines.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from evals.kernel_cases.base import (
    Case,
    Machine,
    Outcome,
    both_threads,
    relative_difference,
    seconds_of,
)
from evals.kernel_cases.memory import memory_of
from executor.backends.base import Context
from executor.backends.rust import RustBackend
from planner.errors import StratumError
from planner.expressions import Call
from planner.ops_linear import LinearBlocks, LinearFolds, LinearMember

_FOLDS = 5
_ALPHAS = (0.01, 0.1, 1.0, 10.0, 100.0)
_MEASURED = (1, 3)  # of the models, in the library
_DENSE = Call("OneHotEncoder", (("handle_unknown", "ignore"), ("sparse_output", False)))


@dataclass(frozen=True)
class Job:
    """Ridges on numbers that are standardised and columns of text of so many values each."""

    rows: int
    numbers: int
    sizes: tuple[int, ...]


def _data(job: Job) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(job.rows, job.numbers)) @ rng.normal(size=(job.numbers, job.numbers))
    text = pd.DataFrame(
        {
            f"c{place}": pd.Series([f"value {v}" for v in range(size)], dtype="str")
            .take(np.minimum(rng.geometric(4 / size, job.rows), size) - 1)
            .array
            for place, size in enumerate(job.sizes)
        }
    )
    effect = sum(text[name].str.len() for name in text)
    y = x[:, 0] + np.asarray(effect, dtype=float) + 2 * rng.normal(size=job.rows)
    return pd.DataFrame(x).add_prefix("x"), text, y


def _folds(rows: int) -> list[tuple[np.ndarray, np.ndarray]]:
    from sklearn.model_selection import KFold

    return list(KFold(_FOLDS, shuffle=True, random_state=0).split(np.empty((rows, 1))))


def _measured(job: Job, machine: Machine) -> Outcome:
    numbers, text, y = _data(job)
    split = _folds(job.rows)
    calls = [Call("Ridge", (("alpha", alpha),)) for alpha in _ALPHAS]
    members = tuple(map(LinearMember, calls))
    op = LinearBlocks(members, ((Call("StandardScaler"),), (_DENSE,)), (None,), 0.3)
    backend = RustBackend()

    def work(threads: int = 1) -> Any:
        return backend.run(op, [numbers, text, split, y], Context(None, threads))

    found = work()
    errors = [_error(found, position, split, y) for position in _MEASURED]
    seconds, wanted = _library(numbers, text, y, split)
    written = np.hstack([numbers.to_numpy(), pd.get_dummies(text).to_numpy(dtype=float)])
    plain = LinearFolds(members, impute=False, scale=False)
    width = job.numbers + 2
    products = job.rows * width * (width + 2.0 * len(members))
    return Outcome(
        ours=seconds_of(work),
        libraries={
            "scikit-learn": seconds,
            "written out": seconds_of(
                lambda: backend.run(plain, [written, split, y], Context(None))
            ),
        },
        limit=machine.seconds(2.0 * job.rows * (8 * width + 4 * len(job.sizes)), products),
        difference=relative_difference(errors, wanted),
        bound=1e-9,
        declined=sum(answer.declined is not None for fold in found for answer in fold.values()),
        memory=memory_of(work, [numbers, text, y]),
        two=both_threads(work, "scikit-learn", seconds),
    )


def _error(found: Any, position: int, split: Any, y: np.ndarray) -> float:
    values = found[0][position].predictions
    if isinstance(values, StratumError):
        raise values
    return float(np.mean((values - y[split[0][1]]) ** 2))


def _library(
    numbers: pd.DataFrame, text: pd.DataFrame, y: np.ndarray, split: Any
) -> tuple[float, list[float]]:
    """Seconds of all models and folds, of which some are measured, and their errors."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = pd.concat([numbers, text], axis=1)
    train, valid = split[0]
    seconds, errors = [], []
    for position in _MEASURED:
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        model = make_pipeline(
            make_column_transformer((StandardScaler(), list(numbers)), (encoder, list(text))),
            Ridge(_ALPHAS[position]),
        )
        seen: list[np.ndarray] = []

        def work(model: Any = model, seen: list[np.ndarray] = seen) -> None:
            model.fit(table.iloc[train], y[train])
            seen.append(model.predict(table.iloc[valid]))

        seconds.append(seconds_of(work))
        errors.append(float(np.mean((seen[-1] - y[valid]) ** 2)))
    return float(np.mean(seconds)) * len(_ALPHAS) * _FOLDS, errors


def _case(job: Job) -> Case:
    size = f"{job.rows // 1000}k x ({job.numbers} + {sum(job.sizes)} one-hot)"
    name = f"ridge behind encoders, {len(_ALPHAS)} models x {_FOLDS} folds, {size}"
    return Case("linear", name, partial(_measured, job))


CASES = (
    _case(Job(20_000, 15, (5, 40))),
    _case(Job(200_000, 15, (5, 40))),
    _case(Job(200_000, 15, (30, 100, 200))),
)
