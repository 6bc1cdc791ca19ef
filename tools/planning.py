"""The planning thread: requests in, running jobs out.

A request has its job at once; it is built in turns with those of other sessions, and what is
built at the same time is planned as one batch (see `planner.accumulator`). Each request still
gets a job of its own, with the tasks that its pipelines need.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from queue import SimpleQueue
from typing import Any

from executor.catalog import Catalog
from executor.catalog_rows import JobState, ScoreRow
from executor.jobs import Limits
from executor.results import Outcome
from executor.run import Scheduler
from executor.store import Store
from executor.versions import versions_key
from planner.accumulator import Accumulator
from planner.borrow import Source, borrow
from planner.build import Built, Environment
from planner.cardinality import rows_of
from planner.compile import Compiled, compile_batch
from planner.errors import StratumError
from planner.finish import shares
from planner.graph import Graph
from planner.plan import Plan, Value
from planner.schema import Dataset
from tools.asked import Again, Asked
from tools.backing import Backing, BackingOf
from tools.batches import Request, prepare, preparing
from tools.budgets import limits_of
from tools.data_watch import DataWatch
from tools.execution import Execution, joined, part, repeats, unreadable
from tools.explaining import plan_info
from tools.finalists import Finalists
from tools.jobs import Job
from tools.known_failures import engine_closed, is_closing, known_failures, reportable
from tools.options import ALL_ON, EngineOptions
from tools.recording import Recorder
from tools.turns import Steps, Turns
from tools.underway import Shared, Underway

_LOG = logging.getLogger(__name__)
_MAX_NODES = 100_000  # of a graph that requests share; then the next ones get a new one


class Planner:
    """Owns the planning thread, by which all requests go."""

    def __init__(
        self,
        catalog: Catalog,
        store: Store,
        scheduler: Scheduler,
        recorder: Recorder,
        backing: BackingOf,
        options: EngineOptions = ALL_ON,
        watch: DataWatch | None = None,
    ) -> None:
        self._options = options
        self._watch = watch
        self._catalog = catalog
        self._store = store
        self._scheduler = scheduler
        self._recorder = recorder
        self._backing = backing
        self._accumulator: Accumulator[Asked | Again] = Accumulator(lambda: scheduler.full)
        scheduler.on_free = self._accumulator.hurry
        self._underway = Underway()
        self._finalists = Finalists(self.compile, backing, self.earlier, sharing=options.sharing)
        # The graph of the requests that are being built, and the datasets that it knows.
        self._graph: tuple[Graph, Mapping[str, Dataset]] | None = None
        self._turns = Turns(
            self._accumulator,
            begin=self._begin,
            launch=self.launch,
            fail=self._fail,
            close=self._close,
        )

        self._large: SimpleQueue[Asked | None] = SimpleQueue()
        self._large_thread = threading.Thread(
            target=self._launch_large, name="planner-large", daemon=True
        )

    def start(self) -> None:
        self._turns.start()
        self._large_thread.start()

    def close(self) -> None:
        """Takes nothing more; what does not run yet is interrupted. `join` waits for that."""
        self._accumulator.close()

    def join(self, timeout: float = 10.0) -> None:
        self._turns.join(timeout)
        self._large.put(None)
        if self._large_thread.ident is not None:
            self._large_thread.join(timeout)

    def submit(self, request: Request) -> Job:
        """Has a request planned and started; returns its job at once.

        Raises:
            SpecError: `invalid_budget`, and then there is no job.
            ServerError: `engine_closed`.
        """
        limits_of(request.evaluate.budget)
        if self._accumulator.closed:
            raise engine_closed()
        job, asked = request.job, Asked(request)
        job.submitted(lambda: self._cancel(asked))
        settings = request.evaluate.model_dump(mode="json")
        self._catalog.create_job(job.id, job.kind, job.session, {"evaluate": settings}, job.asked)
        if not self._accumulator.put(asked, job.session):
            self._catalog.set_job_state(job.id, "interrupted")
            raise engine_closed()
        return job

    def _cancel(self, asked: Asked) -> None:
        if asked.cancel():
            self._recorder.finish(asked.request.job, "cancelled")
            self._accumulator.unpark(asked)  # only to be dropped

    def _give_up(self, asked: Asked, error: StratumError, state: JobState = "failed") -> None:
        """Ends a request that cannot be planned."""
        if asked.cancel():
            asked.request.job.error = error
            self._recorder.finish(asked.request.job, state)

    # -- building -----------------------------------------------------------------------------

    def _begin(self, item: Asked | Again) -> Steps:
        return self._steps(item) if isinstance(item, Asked) else self._again(item)

    def _fail(self, item: Asked | Again, error: Exception) -> None:
        closing = is_closing(error)
        if isinstance(item, Asked):
            self._give_up(item, reportable(error), "interrupted" if closing else "failed")
            return
        reportable(error)
        for outcome in item.held.values():
            item.execution.report(outcome)
        item.execution.end("interrupted" if closing else "completed")

    def _close(self, item: Asked | Again) -> None:
        self._fail(item, engine_closed())

    def _steps(self, asked: Asked) -> Steps:
        # Asked for each time, and cheap: a dataset may have been added meanwhile.
        backing = self._backing(asked.request.session)
        asked.graph = self._shared_graph(asked, backing)
        env = self._environment(asked.request, asked.graph, backing)
        return preparing(asked.request, env, self.earlier)

    def _shared_graph(self, asked: Asked, backing: Backing) -> Graph:
        """Requests that are built at the same time meet in one graph."""
        if not self._options.sharing:
            # Other keys: neither this process nor the home knows any of its results.
            return Graph(f"{versions_key()}/{asked.request.job.id}")
        if asked.large:
            return Graph(versions_key())  # as it is compiled by another thread
        alone = len(self._accumulator) == 1
        known = self._graph
        if known is None or alone or len(known[0]) > _MAX_NODES or known[1] != backing.datasets:
            known = self._graph = (Graph(versions_key()), dict(backing.datasets))
        return known[0]

    def build(self, request: Request, graph: Graph, backing: Backing) -> None:
        """Entries, graphs and errors of a request (see `tools.batches.prepare`)."""
        limits_of(request.evaluate.budget)  # a bad budget is an answer, and no job
        prepare(request, self._environment(request, graph, backing), self.earlier)

    def _environment(self, request: Request, graph: Graph, backing: Backing) -> Environment:
        return Environment(
            graph, backing.registry, backing.datasets, backing.statistics, request.evaluate
        )

    def earlier(self, id_or_name: str) -> tuple[str, dict[str, Any]] | None:
        """The id and the spec of an earlier evaluation."""
        try:
            found = self._catalog.find_evaluation(id_or_name)
        except StratumError:
            return None
        return (found.id, found.spec) if isinstance(found.spec, dict) else None

    # -- compiling ----------------------------------------------------------------------------

    def launch(self, ready: Sequence[Asked | Again], held: Sequence[float]) -> None:
        """Compiles built requests, together where that may be, and starts each."""
        batches: dict[tuple[int, int], list[Asked]] = {}
        for asked, seconds in zip(ready, held, strict=True):
            if not isinstance(asked, Asked) or asked.cancelled:
                continue
            asked.request.job.held = seconds
            # What limits its pipelines would be held against work for others, too.
            own = id(asked) if asked.limited or asked.large else 0
            batches.setdefault((id(asked.graph), own), []).append(asked)
        for batch in batches.values():
            if batch[0].large:
                self._large.put(batch[0])
            else:
                self._launch(batch)
        if not len(self._accumulator):
            self._graph = None  # nothing of it is needed until the next request

    def _launch_large(self) -> None:
        """On a thread of its own: others are planned meanwhile."""
        while (asked := self._large.get()) is not None:
            try:
                if self._accumulator.closed:
                    raise engine_closed()
                self._launch([asked])
            except Exception as error:
                self._fail(asked, error)

    def _launch(self, ready: Sequence[Asked]) -> None:
        offsets: list[int] = []
        merged: dict[int, Built] = {}
        total = 0
        for asked in ready:
            offsets.append(total)
            for position, built in asked.request.built.items():
                merged[total + position] = built
            total += len(asked.request.job.entries)
        graph = ready[0].graph
        assert graph is not None
        try:
            # First, so that what ends meanwhile is found in catalog and store.
            shared = Shared() if ready[0].limited else self._underway.find(_score_keys(merged))
            known, compiled = self.compile(graph, merged, self._backing(), shared)
            sources = {k: s for k, s in shared.scores.items() if k in compiled.scores}
            plan = borrow(compiled.plan, sources, shared.making, self._available)
        except Exception as error:
            if len(ready) == 1:
                self._give_up(ready[0], reportable(error))
                return
            _LOG.exception("requests could not be planned together")
            for asked in ready:
                self._launch([asked])
            return
        compiled = replace(compiled, plan=plan)
        started = [
            asked.request.job
            for asked, offset in zip(ready, offsets, strict=True)
            if self._started(asked, graph, offset, compiled, known)
        ]
        if started and compiled.scores:
            self._underway.add(Source(plan, compiled.scores), started)

    def compile(
        self,
        graph: Graph,
        built: Mapping[int, Built],
        backing: Backing,
        shared: Shared = Shared(),  # noqa: B008  (immutable)
        *,
        stored: bool = True,
    ) -> tuple[dict[str, ScoreRow], Compiled]:
        """The plan of everything in `graph`, and the scores that need no work. What others are
        making is left to them (see `borrow`).

        Without `stored`, as if nothing had ever been computed.
        """
        known = self._catalog.get_scores(_score_keys(built)) if stored else {}
        by_fingerprint = {d.fingerprint: d.rows for d in backing.datasets.values()}

        def available(value: Value) -> bool:
            return self._available(value) or shared.making(value) is not None

        compiled = compile_batch(
            graph,
            built,
            known=known.keys(),
            rows=lambda node: rows_of(node, lambda key: by_fingerprint.get(key, 10_000)),
            available=available if stored else lambda value: False,
            rules=self._options.rules,
            measured=self._recorder.measurements.measured(),
            underway={k: s.scores[k] for k, s in shared.scores.items() if k not in known},
        )
        return known, compiled

    def _available(self, value: Value) -> bool:
        return self._store.has(value.name)

    # -- starting jobs ------------------------------------------------------------------------

    def _started(self, asked: Asked, *rest: Any) -> bool:
        try:
            return self._start(asked, *rest)
        except Exception as error:
            self._give_up(asked, reportable(error))
            return False

    def _start(
        self,
        asked: Asked,
        graph: Graph,
        offset: int,
        compiled: Compiled,
        known: Mapping[str, ScoreRow],
    ) -> bool:
        """Starts the job of a request; False if it has been cancelled."""
        request = asked.request
        job, count = request.job, len(request.job.entries)
        execution = self._execution(request, graph, limits_of(request.evaluate.budget))
        ended = {p: Outcome(p, "failed", error=e) for p, e in request.errors.items()}
        ended.update(known_failures(self._catalog, part(compiled.plan, offset, count, ended)))
        plan = part(compiled.plan, offset, count, ended)
        if not asked.start(execution):
            return False
        try:
            self._catalog.set_job_state(job.id, "running", total=count)
            info = plan_info(compiled, plan.tasks, self._scheduler.cores)
            job.run(info, execution.cancel, shares(plan.tasks))
            if self._watch is not None:
                self._watch.attend(request)
            for outcome in ended.values():
                execution.report(outcome)
            execution.run(plan, known)
        except Exception as error:
            job.error = reportable(error)
            closing = is_closing(error)
            execution.end("interrupted" if closing else "failed")
        return True

    def _execution(self, request: Request, graph: Graph, limits: Limits) -> Execution:
        return Execution(
            request,
            graph,
            limits,
            self._scheduler,
            self._recorder,
            lambda execution, held: self._accumulator.put(
                Again(execution, held), execution.request.session
            ),
            self._finalists.of(request),
        )

    # -- planning again -----------------------------------------------------------------------

    def _again(self, item: Again) -> Steps:
        """Plans held back pipelines again (see `tools.execution`)."""
        execution, open_ = item.execution, item.held
        backing = self._backing(execution.request.session)
        built, count = execution.request.built, len(execution.request.job.entries)
        plans: list[Plan] = []
        known: dict[str, ScoreRow] = {}
        # Alone, tables have no columns and groups no members of other pipelines.
        alone = [p for p, o in open_.items() if not unreadable(o)]
        rest = [p for p in open_ if p not in alone]
        for group in filter(None, (rest, *([p] for p in alone))):
            scores, compiled = self.compile(execution.graph, {p: built[p] for p in group}, backing)
            known.update(scores)
            same = [p for p in group if repeats(open_[p], compiled.plan)]
            for position in same:
                execution.report(open_.pop(position))
            plans.append(part(compiled.plan, 0, count, same))
            yield None
        execution.run(joined(plans), known)


def _score_keys(built: Mapping[int, Built]) -> list[str]:
    return [n.key for b in built.values() for nodes in b.scores.values() for n in nodes]
