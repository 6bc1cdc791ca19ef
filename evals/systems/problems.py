"""Baselines as scikit-learn objects, for systems that take a search instead of scripts.

Input: a workload. Output: groups of estimators over the same rows and folds.

A baseline module that has ``problem`` beside its function gives back what its script would hand
to ``cross_val_score``. Loading is left to the timed part, once a group, as a person who writes
such a search would have it.
"""

import importlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import pandas as pd

from evals.systems.protocol import Channel
from evals.workloads.base import Pipeline, Workload

NO_SEARCH = "its script has a loop of its own that a search object cannot express"


@dataclass
class Group:
    """Pipelines that differ in their estimator only.

    Attributes:
        load: Gives the problem (``X``, ``y``, ...) of the first member, loading its data.
        estimators: Unfitted, in the order of `pipelines`.
    """

    load: Callable[[], Any]
    pipelines: list[Pipeline]
    estimators: list[Any]
    cv: Any
    scoring: str

    def scores(self, values: Sequence[float]) -> list[float]:
        """Values of the scorer with the sign of the baseline."""
        sign = -1.0 if self.scoring.startswith("neg_") else 1.0
        return [sign * float(value) for value in values]


@dataclass
class Search:
    """A workload as search problems: groups, and why other pipelines are in none (by name)."""

    groups: list[Group] = field(default_factory=list)
    uncovered: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def report(self, channel: Channel) -> None:
        """Tells of the pipelines that are in no group."""
        for name, reason in self.uncovered.items():
            channel.result(name, uncovered=reason)
        for name, reason in self.broken.items():
            channel.result(name, error=reason)


def search_of(workload: Workload) -> Search:
    """Loads the data of every pipeline once, and lets go of it."""
    found: dict[Any, Group] = {}
    search = Search()
    for pipeline in workload.pipelines:
        call = _problem(pipeline, workload.datasets)
        if call is None:
            search.uncovered[pipeline.name] = NO_SEARCH
            continue
        try:
            problem = call()
        except Exception as error:  # a broken script
            search.broken[pipeline.name] = f"{type(error).__name__}: {error}"
            continue
        key = (_digest(problem.X, problem.y), repr(problem.cv), problem.scoring)
        group = found.setdefault(key, Group(call, [], [], problem.cv, problem.scoring))
        group.pipelines.append(pipeline)
        group.estimators.append(problem.estimator)
    # The small ones first: what runs out of time has answered something.
    search.groups = sorted(found.values(), key=lambda group: len(group.pipelines))
    return search


def _problem(pipeline: Pipeline, paths: dict[str, str]) -> Callable[[], Any] | None:
    module_name, _, name = pipeline.function.partition(":")
    module = importlib.import_module(module_name)
    make = getattr(module, "problem", None)
    function = getattr(module, name)
    if make is None:
        return None
    try:
        bound = inspect.signature(function).bind(paths, **pipeline.arguments)
        bound.apply_defaults()
        inspect.signature(make).bind(*bound.args)
    except TypeError:
        return None
    return lambda: make(*bound.args)


def _digest(x: Any, y: Any) -> str:
    digest = blake2b(digest_size=16)
    for part in (x, y):
        table = part if isinstance(part, pd.DataFrame | pd.Series) else pd.DataFrame(part)
        digest.update(repr(getattr(table, "columns", None)).encode())
        digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return digest.hexdigest()
