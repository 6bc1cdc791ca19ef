"""The linear family: ridge, least squares and elastic nets of all folds from one pass."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np

from evals.kernel_cases.base import (
    Case,
    Machine,
    Outcome,
    Target,
    Two,
    both_threads,
    clock_seconds_of,
    relative_difference,
    seconds_of,
)
from evals.kernel_cases.intel import intel_seconds
from evals.kernel_cases.linear_library import (
    FOLDS,
    Job,
    data,
    folds,
    measure,
    moments_seconds,
)
from evals.kernel_cases.memory import memory_of
from executor.backends.base import Context
from executor.backends.rust import RustBackend
from planner.errors import StratumError
from planner.expressions import Call
from planner.ops_linear import LinearFolds, LinearMember

_LIBRARY = "evals.kernel_cases.linear_library"
_NET_DIFFERENCE = 1e-6
_DIFFERENCE = 1e-9


def _measured(job: Job, machine: Machine) -> Outcome:
    x, y = data(job)
    split = folds(job)
    calls = [Call(name, tuple(sorted(params.items()))) for name, params in job.members]
    op = LinearFolds(tuple(map(LinearMember, calls)), impute=False, scale=True)
    backend = RustBackend()

    def work(threads: int = 1) -> Any:
        return backend.run(op, [x, split, y], Context(None, threads))

    found = work()
    predictions = []
    for position in range(len(calls)):
        values = found[0][position].predictions
        if isinstance(values, StratumError):
            raise values
        predictions.append(values)
    errors = np.mean((np.column_stack(predictions) - y[split[0][1], None]) ** 2, axis=0)
    library = measure(job)
    libraries: dict[str, float | str] = {"scikit-learn": library["seconds"]}
    for name, seconds in (
        ("ElasticNetCV", library["cv"]),
        ("NumPy, moments", moments_seconds(job)),
    ):
        if seconds is not None:
            libraries[name] = seconds
    libraries["sklearnex"] = intel_seconds(_LIBRARY, [json.dumps(asdict(job))], limit=30.0)
    chosen = [int(k) for k in library["scores"]]
    # Moments and predictions read the rows once each.
    products = job.rows * job.columns * (job.columns + 2.0 * len(job.members))
    return Outcome(
        ours=seconds_of(work),
        libraries=libraries,
        limit=machine.seconds(2 * x.nbytes, products),
        difference=relative_difference(errors[chosen], list(library["scores"].values())),
        bound=_NET_DIFFERENCE if job.family == "elastic_net" else _DIFFERENCE,
        declined=sum(answer.declined is not None for fold in found for answer in fold.values()),
        memory=memory_of(work, [x, y]),
        two=_two(job, work, library["cv"]),
    )


def _two(job: Job, work: Callable[[int], Any], path: float | None) -> Two:
    if path is not None:  # the library's descent has one thread
        return both_threads(work, "ElasticNetCV", path)
    one = replace(job, models=1)  # each penalty takes as long
    seconds = partial(measure, one, clock_seconds_of)
    return both_threads(work, "scikit-learn", lambda: float(seconds()["seconds"]))


def _case(job: Job, *targets: Target) -> Case:
    size = f"{job.rows // 1000}k x {job.columns}"
    name = f"{job.family}, {len(job.members)} models x {FOLDS} folds, {size}"
    return Case("linear", name, partial(_measured, job), targets)


CASES = (
    _case(Job("ridge", 20_000, 30)),
    _case(Job("ridge", 20_000, 75)),
    _case(Job("ridge", 200_000, 30)),
    _case(Job("ridge", 200_000, 75, models=2), Target(300.0)),
    _case(Job("elastic_net", 20_000, 30, models=8), Target(50.0, over="ElasticNetCV")),
    _case(Job("elastic_net", 200_000, 30, models=4)),
    _case(Job("least_squares", 20_000, 30)),
    _case(Job("least_squares", 200_000, 30)),
)
