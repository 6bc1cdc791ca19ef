"""Writing what comes out of jobs to the catalog, and only then showing it to their clients.

Input: outcomes and ends of jobs, from the scheduler's thread. Output: rows of the catalog and
evaluations of jobs. It has a thread of its own, so that no fit waits for a disk, and what comes
together costs one transaction.
"""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any

from executor.catalog import Catalog
from executor.catalog_rows import EvaluationRow, FailureRow, JobState
from executor.results import Outcome
from executor.store import Store
from planner.errors import StratumError
from planner.metrics import resolve
from planner.plan import Task
from tools import holdouts
from tools.holdouts import Finalist
from tools.jobs import Job
from tools.measuring import Measurements
from tools.responses import MetricValue

_LOG = logging.getLogger(__name__)
_MAX_BATCH = 256  # a transaction keeps other servers of the home from writing

# Failures that might not happen again, and so are not remembered.
TRANSIENT = frozenset({
    "timeout", "out_of_memory", "cancelled", "skipped", "worker_crashed", "internal_error",
    "disk_full", "engine_closed", "block_unreadable", "workers_unavailable", "dataset_gone",
    "corrupt_block",
})  # fmt: skip


@dataclass(frozen=True)
class _Ended:
    job: Job
    outcome: Outcome
    settings: Any


@dataclass(frozen=True)
class _Confirmed:
    job: Job
    finalists: Mapping[int, Finalist]
    settings: Any


@dataclass(frozen=True)
class _Finished:
    job: Job
    state: JobState


@dataclass(frozen=True)
class _Timed:
    task: Task
    timings: Any


_Reported = _Ended | _Confirmed | _Finished
_Item = _Reported | _Timed


class Recorder:
    """Owns the recording thread. The store is tidied when a job has ended.

    `measurements` are those that came by here, and those of earlier servers.
    """

    def __init__(self, catalog: Catalog, store: Store) -> None:
        self._catalog = catalog
        self._store = store
        self.measurements = Measurements(catalog)
        self._items: SimpleQueue[_Item | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name="recorder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout: float = 10.0) -> None:
        """Ends the thread when all that came before is written."""
        self._items.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def outcome(self, job: Job, outcome: Outcome, settings: Any) -> None:
        """One pipeline of a job has ended. Returns at once."""
        self._items.put(_Ended(job, outcome, settings))

    def confirmed(self, job: Job, finalists: Mapping[int, Finalist], settings: Any) -> None:
        """Pipelines of a job have been scored on the hold-out, or exactly. Returns at once."""
        self._items.put(_Confirmed(job, finalists, settings))

    def finish(self, job: Job, state: JobState) -> None:
        """A job has ended; after all its outcomes. Returns at once."""
        self._items.put(_Finished(job, state))

    def timings(self, task: Task, timings: Any) -> None:
        """A task has ended; `timings` as its worker gave them. Returns at once."""
        self._items.put(_Timed(task, timings))

    def _loop(self) -> None:
        while batch := self._take():
            try:
                self._record(batch)
            except Exception:
                _LOG.exception("outcomes could not be recorded")

    def _take(self) -> list[_Item]:
        """What waits, at least one; empty at the end."""
        batch: list[_Item] = []
        item = self._items.get()
        while item is not None:
            batch.append(item)
            if len(batch) == _MAX_BATCH:
                break
            try:
                item = self._items.get_nowait()
            except Empty:
                break
        if item is None and batch:
            self._items.put(None)  # for the next time
        return batch

    def _record(self, items: list[_Item]) -> None:
        batch = [item for item in items if not isinstance(item, _Timed)]
        self._learn([item for item in items if isinstance(item, _Timed)])
        if not batch:
            return
        problems: dict[int, str] = {}
        try:
            with self._catalog.write():
                for item in batch:
                    self._write(item)
        except Exception:
            # One by one: what cannot be written must not take the others with it.
            for position, item in enumerate(batch):
                try:
                    self._write(item)
                except Exception as error:
                    _LOG.exception("an outcome could not be written to the catalog")
                    problems[position] = str(getattr(error, "message", type(error).__name__))
        for position, item in enumerate(batch):
            if isinstance(item, _Finished):
                item.job.finish(item.state)
                continue
            if isinstance(item, _Confirmed):
                for place, found in item.finalists.items():
                    item.job.record(place, found.folds)
                continue
            outcome = item.outcome
            if position in problems:
                note = f"This result could not be stored: {problems[position]}"
                outcome = replace(outcome, warnings=(*outcome.warnings, note))
            item.job.record(outcome.position, outcome)
        if any(isinstance(item, _Finished) for item in batch):
            self._store.evict()

    def _learn(self, items: list[_Timed]) -> None:
        """Timings of what has ended; losing some harms nothing."""
        if not items:
            return
        try:
            found = [self.measurements.learn(item.task, item.timings) for item in items]
            with self._catalog.write():
                for learned in found:
                    self.measurements.store(learned)
        except Exception:
            _LOG.exception("timings could not be recorded")
            return
        for learned in found:
            self.measurements.add(learned)

    def _write(self, item: _Reported) -> None:
        if isinstance(item, _Finished):
            error = item.job.error
            told = None if error is None else error.to_dict()
            self._catalog.set_job_state(item.job.id, item.state, error=told)
            return
        if isinstance(item, _Confirmed):
            self._write_confirmed(item)
            return
        outcome = item.outcome
        if outcome.fresh:
            self._catalog.put_scores(outcome.fresh)
        error = outcome.error
        if outcome.node and error is not None and sure_to_repeat(error):
            row = FailureRow(outcome.node, error.code, error.message, error.hint, outcome.seconds)
            self._catalog.put_failures([row])
        self._catalog.put_evaluation(_row(item))

    def _write_confirmed(self, item: _Confirmed) -> None:
        """The looks are counted before anything is shown; the scores of the folds stay."""
        looks = holdouts.count_looks(self._catalog, item.finalists)
        for position, found in item.finalists.items():
            if found.confirmed is not None and found.confirmed.fresh:
                self._catalog.put_scores(found.confirmed.fresh)
            entry = item.job.entries[position]
            if found.exact:
                entry.exact = holdouts.exact_metrics(found)
                more = holdouts.exact_notes(found)
            else:
                entry.holdout = holdouts.score(found, looks)
                more = holdouts.notes(self._catalog, found, entry, looks)
            entry.notes = tuple(dict.fromkeys((*entry.notes, *more)))
            self._catalog.put_evaluation(_row(_Ended(item.job, found.folds, item.settings)))


def _dumped(metrics: Mapping[str, MetricValue]) -> dict[str, Any]:
    return {name: value.model_dump() for name, value in metrics.items()}


def sure_to_repeat(error: StratumError) -> bool:
    """Whether the same computation would fail in the same way."""
    return error.code not in TRANSIENT


def _row(item: _Ended) -> EvaluationRow:
    outcome = item.outcome
    entry = item.job.entries[outcome.position]
    evaluation = item.job.evaluation(outcome.position, outcome)
    metrics = {
        name: {
            **value.model_dump(),
            "direction": "maximize" if resolve(name).greater_is_better else "minimize",
        }
        for name, value in evaluation.metrics.items()
    }
    return EvaluationRow(
        id=entry.id,
        job=item.job.id,
        position=outcome.position,
        name=entry.name,
        spec=entry.spec,
        status=outcome.status,
        dataset=entry.dataset,
        target=entry.target,
        metric=entry.primary,
        direction="maximize" if entry.greater_is_better else "minimize",
        metrics=metrics,
        seconds=outcome.seconds,
        reused_seconds=outcome.reused_seconds,
        warnings=tuple(evaluation.warnings),
        error=None if outcome.error is None else outcome.error.to_dict(),
        settings={
            "evaluate": item.settings,
            "cv": entry.cv,
            "features": entry.features,
            **({} if entry.holdout is None else {"holdout": entry.holdout.model_dump()}),
            **({} if evaluation.fidelity == "exact" else {"fidelity": evaluation.fidelity}),
            **({} if evaluation.exact is None else {"exact": _dumped(evaluation.exact)}),
        },
        comparable=entry.comparable,
    )
