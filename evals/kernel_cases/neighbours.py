"""Nearest neighbours: every number of neighbours and weighting of a fold from one search."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

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
from evals.kernel_cases.intel import intel_seconds
from evals.kernel_cases.memory import memory_of
from evals.kernel_cases.neighbours_library import (
    SIZES,
    WEIGHTS,
    Job,
    data,
    folds,
    models,
    shared,
)
from executor.backends import neighbours
from executor.backends.base import Context
from executor.backends.python import PythonBackend
from planner.expressions import Call
from planner.ops import Fit
from planner.ops_neighbours import NeighbourFits

_LIBRARY = "evals.kernel_cases.neighbours_library"
_DIFFERENCE = 1e-9


def _measured(job: Job, machine: Machine) -> Outcome:
    x, y = data(job)
    split = folds(job)
    members = tuple((size, weights) for size in SIZES for weights in sorted(WEIGHTS))
    op = NeighbourFits(Fit(Call("KNeighborsRegressor"), "regression"), members)
    backend = PythonBackend()

    def work(threads: int = 1, folds: int = job.folds) -> list[list[np.ndarray]]:
        groups = [backend.run(op, [x, split, y], Context(fold, threads)) for fold in range(folds)]
        return [[model.estimator.predict(model.valid) for model in group] for group in groups]

    declined = _declined(work)
    found = work()[0]
    seconds, wanted = models(job)
    train, valid = (len(side) for side in split[0])
    return Outcome(
        ours=seconds_of(work),
        libraries={
            "scikit-learn": seconds,
            "NumPy, shared": shared(job),
            "sklearnex": intel_seconds(_LIBRARY, [json.dumps(asdict(job))]),
        },
        limit=machine.seconds(products=2.0 * train * valid * job.columns * job.folds),
        difference=relative_difference(found, [wanted[member] for member in members]),
        bound=_DIFFERENCE,
        declined=declined,
        memory=memory_of(partial(work, folds=1), [x, y]),
        two=both_threads(work, "scikit-learn", lambda: models(job, 2, clock_seconds_of)[0]),
    )


def _declined(work: Callable[[], object]) -> int:
    """Searches that the kernel leaves to the library."""
    search = neighbours.kernel_answers
    answered: list[bool] = []

    def noted(*arguments: Any) -> Any:
        found = search(*arguments)
        answered.append(found is not None)
        return found

    with patch.object(neighbours, "kernel_answers", noted):
        work()
    return answered.count(False)


def _case(job: Job, *targets: Target) -> Case:
    ties = ", tied" if job.tied else ""
    asked = f", {job.asked} rows asked" if job.asked else f" x {job.folds} folds"
    name = f"{len(SIZES)} k x 2 weights{asked}, {job.rows // 1000}k x {job.columns}{ties}"
    return Case("neighbours", name, partial(_measured, job), targets)


CASES = (
    _case(Job(20_000, 30), Target(20.0)),
    _case(Job(20_000, 30, tied=True)),
    _case(Job(20_000, 10), Target(20.0)),
    _case(Job(20_000, 10, tied=True)),
    _case(Job(20_000, 100)),
    _case(Job(200_000, 30, asked=2_000)),
    _case(Job(200_000, 10, asked=2_000)),
)
