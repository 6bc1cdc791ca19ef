"""The planning thread: requests in, running jobs out.

What arrives together is built into one graph and planned as one batch; each request still gets
a job of its own, with the tasks that its pipelines need.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from executor.catalog import Catalog
from executor.catalog_rows import ScoreRow
from executor.jobs import Limits
from executor.results import Outcome
from executor.run import Scheduler
from executor.store import Store
from executor.versions import versions_key
from planner.accumulator import Accumulator
from planner.build import Built, Environment
from planner.compile import Compiled, compile_batch
from planner.errors import ExecutionError, ServerError, StratumError
from planner.graph import Graph, Node
from planner.plan import Plan
from planner.registry import Registry
from planner.schema import Dataset, Statistics
from tools.batches import Request, prepare
from tools.budgets import limits_of
from tools.execution import Execution, joined, part, tables
from tools.explaining import plan_info
from tools.jobs import Job
from tools.options import ALL_ON, EngineOptions
from tools.recording import Recorder

_LOG = logging.getLogger(__name__)


@dataclass
class Backing:
    """What planning asks of the rest of the engine."""

    registry: Registry
    datasets: Mapping[str, Dataset]
    statistics: Statistics


@dataclass
class _Asked:
    request: Request
    future: "Future[Job]"


@dataclass
class _Again:
    execution: Execution
    held: dict[int, Outcome]


class Planner:
    """Owns the planning thread. `backing` may wait for the registry to be made."""

    def __init__(
        self,
        catalog: Catalog,
        store: Store,
        scheduler: Scheduler,
        recorder: Recorder,
        backing: Callable[[], Backing],
        options: EngineOptions = ALL_ON,
    ) -> None:
        self._options = options
        self._catalog = catalog
        self._store = store
        self._scheduler = scheduler
        self._recorder = recorder
        self._backing = backing
        self._accumulator: Accumulator[_Asked | _Again] = Accumulator(
            lambda: scheduler.load["running"] > 0
        )
        self._thread = threading.Thread(target=self._loop, name="planner", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Takes nothing more; `join` waits until what was taken is answered."""
        self._accumulator.close()

    def join(self, timeout: float = 10.0) -> None:
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def submit(self, request: Request) -> Job:
        """Plans and starts a request, together with what arrives meanwhile; waits for that."""
        asked = _Asked(request, Future())
        if not self._accumulator.put(asked):
            raise ServerError("engine_closed", "The engine is shutting down.")
        return asked.future.result()

    def _loop(self) -> None:
        while batch := self._accumulator.take():
            asked = [item for item in batch if isinstance(item, _Asked)]
            try:
                for item in batch:
                    if isinstance(item, _Again):
                        self._plan_again(item)
                if self._options.sharing:
                    self._plan(asked, Graph(versions_key()))
                else:
                    for one in asked:
                        # Other keys: neither this process nor the home knows any of its results.
                        self._plan([one], Graph(f"{versions_key()}/{one.request.job.id}"))
            except Exception as error:
                # This thread serves all requests: it may not end, and nobody may wait in vain.
                for one in asked:
                    if not one.future.done():
                        one.future.set_exception(_reportable(error))

    def _plan(self, batch: list[_Asked], graph: Graph) -> None:
        ready = []
        for asked in batch:
            try:
                # Asked for each time, and cheap: a dataset may have been added meanwhile.
                backing = self._backing()
                self.build(asked.request, graph, backing)
            except Exception as error:
                asked.future.set_exception(_reportable(error))
            else:
                ready.append(asked)
        if ready:
            self._launch(ready, graph, backing)

    def _launch(self, ready: list[_Asked], graph: Graph, backing: Backing) -> None:
        """Compiles built requests together, and starts each."""
        offsets: list[int] = []
        merged: dict[int, Built] = {}
        total = 0
        for asked in ready:
            offsets.append(total)
            for position, built in asked.request.built.items():
                merged[total + position] = built
            total += len(asked.request.job.entries)
        try:
            known, compiled = self.compile(graph, merged, backing)
        except Exception as error:
            if len(ready) == 1:
                ready[0].future.set_exception(_reportable(error))
                return
            _LOG.exception("requests could not be planned together")
            for asked in ready:
                self._launch([asked], graph, backing)
            return
        for asked, offset in zip(ready, offsets, strict=True):
            try:
                self._start(asked.request, graph, offset, compiled, known)
            except Exception as error:
                asked.future.set_exception(_reportable(error))
            else:
                asked.future.set_result(asked.request.job)

    def build(self, request: Request, graph: Graph, backing: Backing) -> None:
        """Entries, graphs and errors of a request (see `tools.batches.prepare`)."""
        limits_of(request.evaluate.budget)  # a bad budget is an answer, and no job
        env = Environment(
            graph, backing.registry, backing.datasets, backing.statistics, request.evaluate
        )
        prepare(request, env, self._spec_of)

    def compile(
        self, graph: Graph, built: Mapping[int, Built], backing: Backing
    ) -> tuple[dict[str, ScoreRow], Compiled]:
        """The plan of everything in `graph`, and the scores that need no work."""
        keys = [n.key for b in built.values() for nodes in b.scores.values() for n in nodes]
        known = self._catalog.get_scores(keys)
        by_fingerprint = {d.fingerprint: d.rows for d in backing.datasets.values()}

        def rows(node: Node) -> int:
            while node.inputs:
                node = node.inputs[0]
            return by_fingerprint.get(getattr(node.op, "fingerprint", ""), 10_000)

        compiled = compile_batch(
            graph,
            built,
            known=known.keys(),
            rows=rows,
            available=lambda value: self._store.has(value.name),
            rules=self._options.rules,
        )
        return known, compiled

    def _spec_of(self, id_or_name: str) -> dict[str, Any] | None:
        try:
            spec = self._catalog.find_evaluation(id_or_name).spec
        except StratumError:
            return None
        return spec if isinstance(spec, dict) else None

    # -- starting jobs ------------------------------------------------------------------------

    def _start(
        self,
        request: Request,
        graph: Graph,
        offset: int,
        compiled: Compiled,
        known: Mapping[str, ScoreRow],
    ) -> None:
        job, limits = request.job, limits_of(request.evaluate.budget)
        execution = self._execution(request, graph, limits)
        count = len(job.entries)
        ended = {p: Outcome(p, "failed", error=e) for p, e in request.errors.items()}
        ended.update(self._known_failures(part(compiled.plan, offset, count, ended)))
        plan = part(compiled.plan, offset, count, ended)
        settings = request.evaluate.model_dump(mode="json")
        self._catalog.create_job(job.id, job.kind, job.session, {"evaluate": settings}, count)
        try:
            self._catalog.set_job_state(job.id, "running")
            seconds = sum(task.seconds for task in plan.tasks)
            job.run(plan_info(compiled, len(plan.tasks), seconds), execution.cancel)
            for outcome in ended.values():
                execution.report(outcome)
            execution.run(plan, known)
        except Exception:
            execution.end("failed")
            raise

    def _execution(self, request: Request, graph: Graph, limits: Limits) -> Execution:
        return Execution(
            request,
            graph,
            limits,
            self._scheduler,
            self._recorder,
            lambda execution, held: self._accumulator.put(_Again(execution, held)),
        )

    def _known_failures(self, plan: Plan) -> dict[int, Outcome]:
        """Pipelines with a node that failed before in a way that is sure to repeat."""
        rows = self._catalog.get_failures({key for p in plan.pipelines for key in p.places})
        found: dict[int, Outcome] = {}
        for pipeline in plan.pipelines if rows else ():
            key = next((key for key in pipeline.places if key in rows), None)
            if key is not None:
                row = rows[key]
                error = ExecutionError(
                    row.code, row.message, path=pipeline.places[key], hint=row.hint
                )
                found[pipeline.index] = Outcome(
                    pipeline.index, "failed", reused_seconds=row.seconds, error=error
                )
        return found

    # -- planning again -----------------------------------------------------------------------

    def _plan_again(self, item: _Again) -> None:
        """Plans held back pipelines again (see `tools.execution`)."""
        execution, open_ = item.execution, dict(item.held)
        try:
            backing = self._backing()
            built = execution.request.built
            plans: list[Plan] = []
            known: dict[str, ScoreRow] = {}
            lost = {p: built[p] for p, o in open_.items() if _unreadable(o)}
            # What failed by a table is planned alone, so that the table has no other columns.
            alone = [{p: built[p]} for p, outcome in open_.items() if not _unreadable(outcome)]
            for group in (lost, *alone):
                scores, compiled = self.compile(execution.graph, group, backing)
                known.update(scores)
                same = [p for p in group if open_[p].node in tables(compiled.plan)]
                for position in same:
                    execution.report(open_.pop(position))
                plans.append(part(compiled.plan, 0, len(execution.request.job.entries), same))
            execution.run(joined(plans), known)
        except Exception as error:
            _reportable(error)
            for outcome in open_.values():
                execution.report(outcome)
            closing = isinstance(error, ServerError) and error.code == "engine_closed"
            execution.end("interrupted" if closing else "completed")


def _unreadable(outcome: Outcome) -> bool:
    return outcome.error is not None and outcome.error.code == "block_unreadable"


def _reportable(error: Exception) -> StratumError:
    if isinstance(error, StratumError):
        return error
    _LOG.error("planning failed", exc_info=error)
    return ServerError(
        "internal_error",
        f"Planning failed unexpectedly: {type(error).__name__}.",
        hint="The server log has the details; please report it.",
    )
