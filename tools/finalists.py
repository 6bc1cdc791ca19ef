"""Finalists: pipelines that are scored on the hold-out, or exactly, once their folds are known.

Input: ended searches that keep a hold-out or were scored with statistical fidelity, and requests
to confirm evaluations. Output: the same jobs, continued by a run that fits each finalist by the
library: on its folds where a kernel had stood in for it, then on all rows outside the hold-out.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from executor.catalog import Catalog
from executor.catalog_rows import ScoreRow
from executor.results import Outcome
from executor.versions import versions_key
from planner.build import Built, Environment, build
from planner.compile import Compiled
from planner.errors import ServerError, SpecError, StratumError
from planner.fidelity import reached
from planner.graph import Graph
from planner.schema import FactPending
from planner.spec import EvaluateSpec, PipelineSpec
from tools.backing import Backing
from tools.batches import Expanded, Request, evaluation_id
from tools.blending import Blending, Find
from tools.holdouts import Finalist, finalist
from tools.jobs import Entry
from tools.requests import ConfirmEvaluations

if TYPE_CHECKING:
    from tools.execution import Execution

_LOG = logging.getLogger(__name__)

OF_SEARCH = 3
_FACT_SECONDS = 60.0

Compile = Callable[[Graph, Mapping[int, Built], Backing], tuple[Mapping[str, ScoreRow], Compiled]]
Continue = Callable[["Execution", Mapping[int, Outcome]], bool]


def confirmation(catalog: Catalog, asked: ConfirmEvaluations, session: str) -> Request:
    """A request that scores earlier evaluations again (which is known) and confirms them.

    Raises:
        SpecError: ``unknown_evaluation``; ``not_scored`` for one that failed; ``no_holdout`` for
            one whose folds had all rows; ``mixed_settings``.
    """
    specs, first = [], None
    for position, id_or_name in enumerate(asked.confirm):
        place = f"confirm[{position}]"
        try:
            row = catalog.find_evaluation(id_or_name)
        except SpecError as error:
            raise error.at(place) from None
        if row.status != "ok":
            raise SpecError(
                "not_scored", f"'{id_or_name}' has no score to confirm.", path=place,
                hint="Confirm evaluations whose status is ok.",
            )  # fmt: skip
        evaluate = EvaluateSpec.model_validate((row.settings or {}).get("evaluate", {}))
        evaluate = evaluate.model_copy(update={"budget": asked.budget})
        if evaluate.holdout is None:
            raise SpecError(
                "no_holdout", f"The folds of '{id_or_name}' had all rows: none are held out.",
                path=place,
                hint='Evaluate with {"holdout": 0.2} in `evaluate` first.',
            )  # fmt: skip
        first = first or evaluate
        if evaluate != first:
            raise SpecError(
                "mixed_settings",
                f"'{id_or_name}' was evaluated with other settings than '{asked.confirm[0]}'.",
                path=place,
                hint="Confirm it in a call of its own.",
            )
        specs.append({**row.spec, "name": row.name})
    assert first is not None
    return Request("confirm", specs, first, session)


def _may_be_statistical(request: Request) -> bool:
    return request.kind == "search" and request.evaluate.fidelity == "statistical"


def _is_exact(entry: Entry, outcome: Outcome) -> bool:
    return reached(entry.fidelity, outcome.warnings) == "exact"


def best(entries: list[Entry], ended: Mapping[int, Outcome], count: int) -> list[int]:
    """Positions of the best pipelines by their folds, each computation once. They are compared
    with the best one only where scores may be."""
    scored: list[tuple[float, int]] = []
    for position, outcome in ended.items():
        entry = entries[position]
        value = outcome.metrics.get(entry.primary)
        if outcome.status == "ok" and value is not None and value.mean == value.mean:
            scored.append((-value.mean if entry.greater_is_better else value.mean, position))
    found: dict[str, int] = {}
    leader = ""
    for _, position in sorted(scored):
        entry = entries[position]
        leader = leader or entry.comparable
        if entry.comparable == leader and len(found) < count:
            found.setdefault(entry.id, position)
    return list(found.values())


class Finalists:
    """Continues jobs. `find` gives the specs of earlier evaluations; `sharing` says whether jobs
    share work with others (see `EngineOptions`).

    Planning is done on a thread of its own, since whoever ends a job must not wait for it.
    """

    def __init__(
        self,
        compile: Compile,
        backing: Callable[[], Backing],
        find: Find,
        *,
        sharing: bool,
    ) -> None:
        self._compile = compile
        self._backing = backing
        self._find = find
        self._sharing = sharing

    def of(self, request: Request) -> Continue | None:
        """What continues the job of `request` when its folds are scored, if anything does."""
        if request.kind not in ("search", "confirm"):
            return None
        if request.evaluate.holdout is None and not _may_be_statistical(request):
            return None
        return self._start

    def _start(self, execution: "Execution", ended: Mapping[int, Outcome]) -> bool:
        request = execution.request
        entries = request.job.entries
        if request.kind == "confirm":
            chosen = [p for p, outcome in sorted(ended.items()) if outcome.status == "ok"]
        else:
            chosen = best(entries, ended, OF_SEARCH)
        exact = _may_be_statistical(request) and not execution.confirmed_exactly
        inexact = [p for p in chosen if not _is_exact(entries[p], ended[p])] if exact else []
        if inexact:
            chosen = inexact
        elif request.evaluate.holdout is None:
            chosen = []
        if not chosen:
            return False
        outcomes = {position: Finalist(ended[position], exact=bool(inexact)) for position in chosen}
        threading.Thread(
            target=self._run, args=(execution, outcomes), name="finalists", daemon=True
        ).start()
        return True

    def _run(self, execution: "Execution", found: dict[int, Finalist]) -> None:
        before = dict(found)
        try:
            backing = self._backing()
            graph, built = self._build(execution.request, found, backing)
            known, compiled = self._compile(graph, built, backing)
            execution.confirm(compiled.plan, known, found)
        except Exception as error:
            closing = isinstance(error, ServerError) and error.code == "engine_closed"
            if closing:
                execution.end("interrupted")
                return
            _LOG.exception("finalists could not be confirmed")
            reason = ServerError("internal_error", "It could not be planned.")
            execution.unconfirmed(
                {
                    position: replace(one, confirmed=Outcome(position, "failed", error=reason))
                    for position, one in before.items()
                }
            )

    def _build(
        self, request: Request, found: dict[int, Finalist], backing: Backing
    ) -> tuple[Graph, dict[int, Built]]:
        """The finalists as they are confirmed; what cannot be built has failed."""
        salt = versions_key() if self._sharing else f"{versions_key()}/{request.job.id}"
        # Whatever stood in for a model before, the library confirms it.
        evaluate = request.evaluate.model_copy(update={"fidelity": "exact"})
        env = Environment(
            Graph(salt), backing.registry, backing.datasets, backing.statistics, evaluate,
            confirm=not any(one.exact for one in found.values()),
        )  # fmt: skip
        built: dict[int, Built] = {}
        for position, one in list(found.items()):
            try:
                make = partial(self._made, env, request.job.entries[position])
                built[position] = _patiently(make)
            except StratumError as error:
                outcome = Outcome(position, "failed", error=error)
                found[position] = replace(one, confirmed=outcome)
            else:
                if not one.exact:
                    found[position] = finalist(one.folds, built[position])
        return env.graph, built

    def _made(self, env: Environment, entry: Entry) -> Built:
        if "blend" not in entry.spec:
            return build(env, PipelineSpec.model_validate(entry.spec), "")
        # Its members are confirmed with it: fitted on the same rows.
        item = Expanded(entry.name, entry.spec, "")
        return Blending(env, [item], {}, {}, self._find, evaluation_id).make(0).built


def _patiently(make: Callable[[], Built]) -> Built:
    """What `make` gives, after the facts that it asks for."""
    while True:
        try:
            return make()
        except FactPending as pending:
            known = threading.Event()
            pending.then(known.set)
            known.wait(_FACT_SECONDS)
