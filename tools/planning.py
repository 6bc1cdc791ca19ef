"""The planning thread: requests in, running jobs out.

What arrives together is built into one graph and planned as one batch; each request still gets
a job of its own, with the tasks that its pipelines need.
"""

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from executor.catalog import Catalog
from executor.catalog_rows import EvaluationRow, FailureRow, ScoreRow
from executor.jobs import JobRun
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
from tools.explaining import plan_info
from tools.jobs import Job

_LOG = logging.getLogger(__name__)

# Failures that would not happen again the same way, and so are not remembered.
_TRANSIENT = {
    "timeout", "out_of_memory", "cancelled", "skipped", "worker_crashed", "internal_error",
    "disk_full", "engine_closed", "block_unreadable", "workers_unavailable",
}  # fmt: skip


@dataclass
class Backing:
    """What planning asks of the rest of the engine."""

    registry: Registry
    datasets: Mapping[str, Dataset]
    statistics: Statistics


class Planner:
    """Owns the planning thread. `backing` may wait for the registry to be made."""

    def __init__(
        self, catalog: Catalog, store: Store, scheduler: Scheduler, backing: Callable[[], Backing]
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._scheduler = scheduler
        self._backing = backing
        self._accumulator: Accumulator[tuple[Request, Future[Job]]] = Accumulator(
            lambda: scheduler.load["running"] > 0
        )
        self._thread = threading.Thread(target=self._loop, name="planner", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._accumulator.close()

    def submit(self, request: Request) -> Job:
        """Plans and starts a request, together with what arrives meanwhile; waits for that."""
        future: Future[Job] = Future()
        if not self._accumulator.put((request, future)):
            raise ServerError("engine_closed", "The engine is shutting down.")
        return future.result()

    def _loop(self) -> None:
        while batch := self._accumulator.take():
            try:
                self._plan(batch)
            except Exception as error:
                _LOG.exception("planning failed")
                failure = error if isinstance(error, StratumError) else _internal(error)
                for _, future in batch:
                    if not future.done():
                        future.set_exception(failure)

    def _plan(self, batch: list[tuple[Request, "Future[Job]"]]) -> None:
        backing: Backing = self._backing()
        graph = Graph(versions_key())
        ready: list[tuple[Request, Future[Job]]] = []
        for request, future in batch:
            try:
                self.build(request, graph, backing)
            except StratumError as error:
                future.set_exception(error)
            else:
                ready.append((request, future))
        offsets: list[int] = []
        merged: dict[int, Built] = {}
        total = 0
        for request, _ in ready:
            offsets.append(total)
            for position, built in request.built.items():
                merged[total + position] = built
            total += len(request.job.entries)
        known, compiled = self.compile(graph, merged, backing)
        for (request, future), offset in zip(ready, offsets, strict=True):
            self._start(request, offset, compiled, known)
            future.set_result(request.job)

    def build(self, request: Request, graph: Graph, backing: Backing) -> None:
        """Entries, graphs and errors of a request (see `tools.batches.prepare`)."""
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
            cores=2,
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
        self, request: Request, offset: int, compiled: Compiled, known: Mapping[str, ScoreRow]
    ) -> None:
        job, settings = request.job, request.evaluate.model_dump(mode="json")
        # Checked before anything is recorded, so that a bad budget is an answer, not a job.
        limits = limits_of(request.evaluate.budget)
        recorder = _Recorder(self._catalog, job, settings, known)
        ended = {p: Outcome(p, "failed", error=e) for p, e in request.errors.items()}
        ended.update(self._known_failures(request))
        plan = _part(compiled.plan, offset, len(job.entries), ended)
        run = JobRun(
            job.id,
            plan,
            limits=limits,
            session=job.session,
            on_outcome=recorder.outcome,
            on_finish=recorder.finish,
            known={key: list(row.folds) for key, row in known.items()},
            stored_seconds={key: row.seconds for key, row in known.items()},
        )

        def cancel() -> None:
            recorder.state = "cancelled"
            error = ExecutionError("cancelled", "The job was cancelled.")
            self._scheduler.cancel(run, error)

        self._catalog.create_job(
            job.id, job.kind, job.session, {"evaluate": settings}, len(job.entries)
        )
        self._catalog.set_job_state(job.id, "running")
        seconds = sum(task.seconds for task in plan.tasks)
        job.run(plan_info(compiled, len(plan.tasks), seconds), cancel)
        for outcome in ended.values():
            recorder.outcome(outcome)
        self._scheduler.submit(run)

    def _known_failures(self, request: Request) -> dict[int, Outcome]:
        """Pipelines that failed before in a way that is sure to repeat."""
        first = {
            position: request.job.entries[position].keys[request.job.entries[position].primary][0]
            for position in request.built
        }
        rows = self._catalog.get_failures(first.values())
        found: dict[int, Outcome] = {}
        for position, key in first.items():
            if key in rows:
                row = rows[key]
                place = request.built[position].places.get(row.node, "")
                error = ExecutionError(row.code, row.message, path=place, hint=row.hint)
                found[position] = Outcome(
                    position, "failed", reused_seconds=row.seconds, error=error
                )
        return found


class _Recorder:
    """Writes outcomes to the catalog and to the job, as they come."""

    def __init__(
        self, catalog: Catalog, job: Job, settings: Any, known: Mapping[str, ScoreRow]
    ) -> None:
        self.state: Any = "completed"
        self._catalog = catalog
        self._job = job
        self._settings = settings
        self._known = known

    def outcome(self, outcome: Outcome) -> None:
        entry = self._job.entries[outcome.position]
        if outcome.status == "cancelled":  # also when the server shuts down
            self.state = "cancelled"
        self._remember(outcome)
        evaluation = self._job.record(outcome.position, outcome)
        self._catalog.put_evaluation(
            EvaluationRow(
                id=entry.id,
                job=self._job.id,
                position=outcome.position,
                name=entry.name,
                spec=entry.spec,
                status=outcome.status,
                dataset=entry.dataset,
                target=entry.target,
                metric=entry.primary,
                direction="maximize" if entry.greater_is_better else "minimize",
                metrics={n: m.model_dump() for n, m in evaluation.metrics.items()},
                seconds=outcome.seconds,
                reused_seconds=outcome.reused_seconds,
                warnings=tuple(evaluation.warnings),
                error=None if outcome.error is None else outcome.error.to_dict(),
                settings=self._settings,
                comparable=entry.comparable,
            )
        )

    def _remember(self, outcome: Outcome) -> None:
        entry = self._job.entries[outcome.position]
        if outcome.status == "ok":
            rows = []
            for name, result in outcome.metrics.items():
                keys = entry.keys[name]
                if len(keys) == 1 and keys[0] not in self._known:
                    rows.append(
                        ScoreRow(keys[0], result.folds, outcome.seconds, outcome.warnings)
                    )
            self._catalog.put_scores(rows)
        elif outcome.status == "failed" and entry.keys and outcome.error is not None:
            error = outcome.error
            if error.code not in _TRANSIENT:
                key = entry.keys[entry.primary][0]
                row = FailureRow(key, error.code, error.message, error.hint, "", outcome.seconds)
                self._catalog.put_failures([row])

    def finish(self) -> None:
        self._catalog.set_job_state(self._job.id, self.state)
        self._job.finish(self.state)


def _part(plan: Plan, offset: int, count: int, ended: Collection[int]) -> Plan:
    """The part of a merged plan that answers one request, with positions of its own; without
    the pipelines in `ended` and what only they would need."""
    mine = range(offset, offset + count)
    tasks = []
    for task in plan.tasks:
        wanted = tuple(p - offset for p in task.pipelines if p in mine)
        wanted = tuple(p for p in wanted if p not in ended)
        if wanted:
            tasks.append(replace(task, pipelines=wanted))
    pipelines = tuple(
        replace(p, index=p.index - offset)
        for p in plan.pipelines
        if p.index in mine and p.index - offset not in ended
    )
    return Plan(tuple(tasks), pipelines)


def _internal(error: Exception) -> ServerError:
    return ServerError(
        "internal_error",
        f"Planning failed unexpectedly: {type(error).__name__}.",
        hint="The server log has the details; please report it.",
    )

