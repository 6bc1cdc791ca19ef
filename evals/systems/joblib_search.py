"""scikit-learn's own means: ``Pipeline(memory=)`` in a ``GridSearchCV`` over all cores.

Input: baselines as search problems. Output: scores of the folds, known when a search has ended.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joblib import Memory, Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from evals.systems.problems import Group, Search, search_of
from evals.systems.protocol import Channel, Request
from evals.systems.scripts import load


class System:
    """See the module."""

    def __init__(self, request: Request) -> None:
        self._workload = request.workload
        self._cores = request.cores
        self._memory = Memory(Path(request.folder) / "memory", verbose=0)
        self._search = Search()

    def prepare(self) -> None:
        modules = sorted({p.function.split(":")[0] for p in self._workload.pipelines})
        load(modules)
        self._search = search_of(self._workload)
        # The processes that the search will find running.
        Parallel(n_jobs=self._cores)(delayed(load)(modules) for _ in range(self._cores))

    def run(self, channel: Channel) -> Mapping[str, Any]:
        self._search.report(channel)
        for group in self._search.groups:
            problem = group.load()
            # The whole pipeline is the parameter: candidates differ in any of their steps.
            search = GridSearchCV(
                Pipeline([("all", group.estimators[0])]),
                {"all": [remembering(e, self._memory) for e in group.estimators]},
                cv=group.cv,
                scoring=group.scoring,
                n_jobs=self._cores,
                refit=False,
            )
            search.fit(problem.X, problem.y)
            report(channel, group, search.cv_results_)
        return {}

    def close(self) -> None:
        end_pool()


def end_pool() -> None:
    """Ends the processes of joblib, which else wait for more work."""
    get_reusable_executor().shutdown(wait=True, kill_workers=True)


def remembering(estimator: Any, memory: Memory) -> Any:
    """The estimator with its fitted transformers kept in `memory`."""
    found = clone(estimator)
    if isinstance(found, TransformedTargetRegressor):
        found.regressor = remembering(found.regressor, memory)
    elif isinstance(found, Pipeline):
        found.set_params(memory=memory)
    return found


def report(channel: Channel, group: Group, results: Mapping[str, Any]) -> None:
    """Emits the columns ``split<k>_test_score`` of a search."""
    count = sum(1 for name in results if name.startswith("split") and name.endswith("_test_score"))
    for position, pipeline in enumerate(group.pipelines):
        values = [float(results[f"split{fold}_test_score"][position]) for fold in range(count)]
        if any(value != value for value in values):
            channel.result(pipeline.name, error="the search gave no score")
        else:
            channel.result(pipeline.name, group.scores(values))
