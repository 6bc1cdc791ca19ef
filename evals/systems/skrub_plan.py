"""A batch as one skrub DataOps plan with a choice between pipelines; also run by `stratum-ai`.

Input: baselines as search problems. Output: scores. Steps that pipelines have in common are one
node of the plan. Options: ``scheduler``: by the scheduler of `stratum-ai`, which is imported
then; it reports means over folds only.
"""

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from joblib import Parallel, delayed
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

from evals.systems.problems import Group, Search, search_of
from evals.systems.protocol import Channel, Request, Unavailable
from evals.systems.scripts import load

# As its documentation recommends; the other one is tried where this fails.
_SELECTORS = ("greedy", "default")
_MESSAGE = 500


class System:
    """See the module."""

    def __init__(self, request: Request) -> None:
        self._workload = request.workload
        self._cores = request.cores
        self._scheduler = bool(request.options.get("scheduler"))
        self._search = Search()
        self._skrub: Any = None

    def prepare(self) -> None:
        package = "stratum" if self._scheduler else "skrub"
        try:
            self._skrub = importlib.import_module(package)
        except ImportError as error:
            raise Unavailable(f"{package} cannot be imported: {error}") from None
        modules = sorted({p.function.split(":")[0] for p in self._workload.pipelines})
        load(modules)
        self._search = search_of(self._workload)
        if not self._scheduler:
            # The processes that the search will find running.
            Parallel(n_jobs=self._cores)(delayed(load)(modules) for _ in range(self._cores))

    def run(self, channel: Channel) -> Mapping[str, Any]:
        self._search.report(channel)
        notes: list[str] = []
        for group in self._search.groups:
            if self._scheduler:
                self._scheduled(channel, group, notes)
            else:
                self._searched(channel, group)
        return {"notes": list(dict.fromkeys(notes))}

    def close(self) -> None:
        pass

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

    def _scheduled(self, channel: Channel, group: Group, notes: list[str]) -> None:
        problem = group.load()
        plan = self._plan(group, problem)
        # Its cross-validation does not hand the target to the splitter.
        splits = list(group.cv.split(problem.X, problem.y))
        for selector in _SELECTORS:
            try:
                with self._skrub.config(scheduler=True, implementation_selector=selector):
                    search = plan.skb.make_grid_search(
                        fitted=True, refit=False, cv=splits, scoring=group.scoring
                    )
            except Exception as error:
                notes.append(f"{selector}: {type(error).__name__}: {error}"[:_MESSAGE])
                if selector == _SELECTORS[-1]:
                    _failed(channel, group, error)
                continue
            names = {str(index): p.name for index, p in enumerate(group.pipelines)}
            for row in search.results_.iter_rows(named=True):
                name = names[str(row["id"]).rpartition(":")[2]]
                channel.result(name, mean=float(row["scores"]))
            return

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
