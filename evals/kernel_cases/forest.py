"""Random forests and extra trees on bins, under statistical fidelity.

The difference is that of the scores, of forests of one seed each: it is bounded by what seeds do,
and `evals.equivalence` compares distributions.
"""

import json
from dataclasses import asdict
from functools import partial
from typing import Any

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
from evals.kernel_cases.forest_library import COLUMNS, Job, data, measure, score
from evals.kernel_cases.intel import intel_seconds
from evals.kernel_cases.memory import memory_of
from executor.backends.base import Context
from executor.backends.trees import stand_ins
from planner.expressions import Call
from planner.ops import Fit
from planner.trees import statistical

_LIBRARY = "evals.kernel_cases.forest_library"
_DIFFERENCE = 0.02


def _measured(job: Job, machine: Machine) -> Outcome:
    x, y, train = data(job)
    call = Call(job.model, tuple(sorted(job.params.items())))
    fit = statistical(Fit(call, "binary" if job.classifies else "regression"))
    folds = [(np.arange(train), np.arange(train, len(y)))]

    def work(threads: int = 1) -> Any:
        models = stand_ins([fit], [x, folds, y], Context(0, threads))
        if models is None:
            raise RuntimeError("the kernel did not take the rows")
        model = models[0].estimator
        return model.predict_proba(x) if job.classifies else model.predict(x)

    found = score(job, y[train:], work())
    library = measure(job)
    # Each level of a tree reads a byte of each feature it tries, a row number and what the row
    # carries; leaves of a few rows are some 12 to 16 levels down.
    levels = np.log2(train / (2 * job.min_samples_leaf))
    drawn = 0.632 * train if job.model.startswith("RandomForest") else train
    moved = job.trees * levels * drawn * (job.max_features * COLUMNS + 20)
    return Outcome(
        ours=seconds_of(work),
        libraries={
            "scikit-learn": library["seconds"],
            "sklearnex": intel_seconds(_LIBRARY, [json.dumps(asdict(job))]),
        },
        limit=machine.seconds(moved),
        difference=relative_difference([found], [library["score"]]),
        bound=_DIFFERENCE,
        memory=memory_of(work, [x, y]),
        two=both_threads(
            work, "scikit-learn", lambda: measure(job, 2, clock_seconds_of)["seconds"]
        ),
    )


def _case(job: Job, *targets: Target) -> Case:
    name = f"{job.model}, {job.trees} trees, {job.rows // 1000}k x {COLUMNS}"
    return Case("forest", name, partial(_measured, job), targets)


_TARGETS = (Target(12.0), Target(2.0, over="sklearnex"))
CASES = (
    _case(Job("RandomForestRegressor", 20_000), *_TARGETS),
    _case(Job("RandomForestRegressor", 200_000, trees=5), *_TARGETS),
    _case(Job("RandomForestClassifier", 20_000), *_TARGETS),
    _case(Job("RandomForestClassifier", 200_000, trees=5), *_TARGETS),
    _case(Job("ExtraTreesRegressor", 20_000)),
    _case(Job("ExtraTreesRegressor", 200_000, trees=5)),
)
