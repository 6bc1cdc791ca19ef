"""A batch as one skrub DataOps plan with a choice between pipelines; also run by `stratum-ai`.

Input: baselines as search problems. Output: scores. Steps that pipelines have in common are one
node of the plan. Options: ``scheduler``: by the scheduler of `stratum-ai`, which is imported
then; it reports means over folds only.
"""

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from joblib import Parallel, delayed
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

from evals.systems.joblib_search import end_pool
from evals.systems.problems import Group, Search, search_of
from evals.systems.protocol import Channel, Request, Unavailable
from evals.systems.scripts import load

# As its documentation recommends, and what it does by default. The first that works on the head of
# the data is used; on estimators that choose columns by name the first does not.
_SELECTORS = ("greedy", "default")
_HEAD_ROWS, _HEAD_PIPELINES = 300, 2
_MESSAGE = 500


class System:
    """See the module."""

    def __init__(self, request: Request) -> None:
        self._workload = request.workload
        self._cores = request.cores
        self._scheduler = bool(request.options.get("scheduler"))
        self._search = Search()
        self._skrub: Any = None
        self._selectors: list[str] = []
        self._notes: list[str] = []

    def prepare(self) -> None:
        package = "stratum" if self._scheduler else "skrub"
        try:
            self._skrub = importlib.import_module(package)
        except ImportError as error:
            raise Unavailable(f"{package} cannot be imported: {error}") from None
        modules = sorted({p.function.split(":")[0] for p in self._workload.pipelines})
        load(modules)
        self._search = search_of(self._workload)
        if self._scheduler:
            self._selectors = [self._working(group) for group in self._search.groups]
        else:
            # The processes that the search will find running.
            Parallel(n_jobs=self._cores)(delayed(load)(modules) for _ in range(self._cores))

    def run(self, channel: Channel) -> Mapping[str, Any]:
        self._search.report(channel)
        for position, group in enumerate(self._search.groups):
            if self._scheduler:
                self._scheduled(channel, group, self._selectors[position])
            else:
                self._searched(channel, group)
        return {"notes": list(dict.fromkeys(self._notes))}

    def close(self) -> None:
        if not self._scheduler:
            end_pool()

    def _searched(self, channel: Channel, group: Group) -> None:
        plan = self._plan(group, group.load())
        try:
            search = plan.skb.make_grid_search(
                fitted=True, refit=False, cv=group.cv, scoring=group.scoring, n_jobs=self._cores
            )
        except Exception as error:
            _failed(channel, group, error)
            return
        results = search.cv_results_
        count = sum(1 for n in results if n.startswith("split") and n.endswith("_test_score"))
        for row, params in enumerate(results["params"]):
            (choice,) = params.values()
            values = [float(results[f"split{fold}_test_score"][row]) for fold in range(count)]
            channel.result(group.pipelines[choice].name, group.scores(values))

    def _working(self, group: Group) -> str:
        """The implementation selector to use for a group."""
        problem = group.load()
        head = SimpleNamespace(X=problem.X[:_HEAD_ROWS], y=problem.y[:_HEAD_ROWS])
        few = replace(group, estimators=group.estimators[:_HEAD_PIPELINES])
        for selector in _SELECTORS[:-1]:
            try:
                self._results(few, head, selector)
            except Exception as error:
                self._notes.append(f"{selector}: {type(error).__name__}: {error}"[:_MESSAGE])
            else:
                return selector
        return _SELECTORS[-1]

    def _scheduled(self, channel: Channel, group: Group, selector: str) -> None:
        try:
            results = self._results(group, group.load(), selector)
        except Exception as error:
            _failed(channel, group, error)
            return
        for row in results.iter_rows(named=True):
            position = int(str(row["id"]).rpartition(":")[2])
            channel.result(group.pipelines[position].name, mean=float(row["scores"]))

    def _results(self, group: Group, problem: Any, selector: str) -> Any:
        """A polars table of ``id`` and ``scores``."""
        plan = self._plan(group, problem)
        # Its cross-validation does not hand the target to the splitter.
        splits = list(group.cv.split(problem.X, problem.y))
        with self._skrub.config(scheduler=True, implementation_selector=selector):
            search = plan.skb.make_grid_search(
                fitted=True, refit=False, cv=splits, scoring=group.scoring
            )
        return search.results_

    def _plan(self, group: Group, problem: Any) -> Any:
        x = self._skrub.as_data_op(problem.X).skb.mark_as_X()
        y = self._skrub.as_data_op(problem.y).skb.mark_as_y()
        nodes: dict[str, Any] = {}
        ends = {
            str(index): _applied(x, y, estimator, nodes)
            for index, estimator in enumerate(group.estimators)
        }
        return self._skrub.choose_from(ends, name="pipeline").as_data_op()


def _applied(x: Any, y: Any, estimator: Any, nodes: dict[str, Any]) -> Any:
    """The plan's node for `estimator` on `x`; steps with equal beginnings share nodes."""
    if isinstance(estimator, TransformedTargetRegressor) or not isinstance(estimator, Pipeline):
        return _apply(x, y, estimator)
    path = ""
    for _, step in estimator.steps:
        path += f"/{step.get_params()!r}"
        if path not in nodes:
            nodes[path] = _apply(x, y, step)
        x = nodes[path]
    return x


def _apply(x: Any, y: Any, estimator: Any) -> Any:
    """The estimator as scikit-learn runs it, not column by column; later versions of skrub have
    another name for that."""
    if "no_wrap" in inspect.signature(x.skb.apply).parameters:
        return x.skb.apply(estimator, y=y, no_wrap=True)
    return x.skb.apply(estimator, y=y, how="no_wrap")


def _failed(channel: Channel, group: Group, error: Exception) -> None:
    for pipeline in group.pipelines:
        channel.result(pipeline.name, error=f"{type(error).__name__}: {error}"[:_MESSAGE])
