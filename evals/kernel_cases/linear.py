"""The linear family: ridge, least squares and elastic nets of all folds from one pass."""

import json
import os
import subprocess
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evals.kernel_cases.base import (
    Case,
    Machine,
    Outcome,
    Target,
    clock_seconds_of,
    peak_of,
    relative_difference,
    seconds_of,
)
from evals.kernel_cases.linear_library import FOLDS, Job, data, folds, measure
from executor.backends.base import Context
from executor.backends.rust import RustBackend
from planner.errors import StratumError
from planner.expressions import Call
from planner.ops_linear import LinearFolds

SKLEARNEX = Path(".venv-sklearnex/bin/python")
_LIMIT = 60.0  # seconds that the other library may take for a row
_NET_DIFFERENCE = 1e-6
_DIFFERENCE = 1e-9


def _measured(job: Job, machine: Machine) -> Outcome:
    x, y = data(job)
    split = folds(job)
    calls = [Call(name, tuple(sorted(params.items()))) for name, params in job.members]
    op = LinearFolds(tuple(calls), impute=False, scale=True)
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
    chosen = [int(k) for k in library["scores"]]
    # Moments and predictions read the rows once each.
    products = job.rows * job.columns * (job.columns + 2.0 * len(job.members))
    return Outcome(
        ours=seconds_of(work),
        libraries={
            "scikit-learn": library["seconds"],
            "ElasticNetCV": library["cv"],
            "sklearnex": _other(job),
        },
        limit=machine.seconds(2 * x.nbytes, products),
        difference=relative_difference(errors[chosen], list(library["scores"].values())),
        bound=_NET_DIFFERENCE if job.family == "elastic_net" else _DIFFERENCE,
        declined=sum(answer.declined is not None for fold in found for answer in fold.values()),
        two=(clock_seconds_of(partial(work, 2)), clock_seconds_of(work)),
        peak=peak_of(work),
    )


def _other(job: Job) -> float | None:
    """Seconds of scikit-learn-intelex in its own environment; None if it has none."""
    if not SKLEARNEX.exists():
        return None
    command = [str(SKLEARNEX), "-m", "evals.kernel_cases.linear_library", json.dumps(asdict(job))]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            # oneDAL takes its threads from the cores it may run on.
            ["taskset", "-c", "0", *command],
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=True,
            env={**os.environ, **threads},
        )
    except (subprocess.SubprocessError, OSError):
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return float(found["seconds"])


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
