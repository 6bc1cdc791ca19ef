"""A job in execution: which pipelines still wait for which tasks, and how they end.

Input: a `Plan` and finished tasks. Output: one `Outcome` a pipeline, as soon as it is known.
Used on the scheduler's thread only, except where noted.
"""

import logging
import math
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from executor.catalog_rows import JobState, ScoreRow
from executor.incidents import over_memory, over_time
from executor.results import STATUS_OF_CODE, MetricResult, Outcome, TaskResult
from planner.errors import ExecutionError, StratumError
from planner.graph import Role
from planner.ops import Materialise
from planner.plan import PipelinePlan, Plan, Task, Value

_LOG = logging.getLogger(__name__)
_DATA_CODES = ("dataset_gone", "corrupt_block")


@dataclass(frozen=True)
class Limits:
    """Bounds of a job: wall seconds, bytes of one worker, worker seconds of one pipeline."""

    seconds: float | None = None
    worker_bytes: int | None = None
    pipeline_seconds: float | None = None


@dataclass
class _Pipeline:
    plan: PipelinePlan
    waiting: set[int]
    wanted: set[Value]  # its scores, fold by fold
    scores: dict[Value, float] = field(default_factory=dict)
    seconds: float = 0.0
    used: float = 0.0
    reused: float = 0.0
    warnings: dict[str, dict[str, None]] = field(default_factory=dict)  # by node
    done: bool = False


class JobRun:
    """The running side of a job.

    Args:
        job: Id of the job; `session` groups jobs for fairness.
        on_outcome: Called on the scheduler's thread with each outcome, once a pipeline.
        on_finish: Called there when every pipeline has ended, with the state of the job.
        known: Scores that the catalog answered, by logical key.
        started: Monotonic time from which the wall seconds count; now by default.
    """

    def __init__(
        self,
        job: str,
        plan: Plan,
        *,
        limits: Limits,
        on_outcome: Callable[[Outcome], None],
        on_finish: Callable[[JobState], None],
        session: str = "",
        known: Mapping[str, ScoreRow] | None = None,
        started: float | None = None,
    ) -> None:
        self.job = job
        self.plan = plan
        self.limits = limits
        self.session = session
        self.started = time.monotonic() if started is None else started
        self.finished = threading.Event()
        self._state: JobState = "completed"
        self._on_outcome = on_outcome
        self._on_finish = on_finish
        self._known = dict(known or {})
        waiting: defaultdict[int, set[int]] = defaultdict(set)
        self._tables: set[str] = set()
        for task in plan.tasks:
            for position in task.pipelines:
                waiting[position].add(task.id)
            for instruction in task.instructions:
                if isinstance(instruction.op, Materialise):
                    self._tables.add(instruction.out.key)
        self._pipelines = {
            p.index: _Pipeline(p, waiting[p.index], _scores_of(p)) for p in plan.pipelines
        }
        self._open = len(self._pipelines)
        for pipeline in self._pipelines.values():
            pipeline.reused = _stored_seconds(pipeline.plan, self._known)

    @property
    def deadline(self) -> float | None:
        """Monotonic time at which the job ends, if it is bounded."""
        return None if self.limits.seconds is None else self.started + self.limits.seconds

    def begin(self) -> None:
        """Ends the pipelines that need no work."""
        for pipeline in self._pipelines.values():
            if not pipeline.done and not pipeline.waiting:
                self._complete(pipeline)
        self._check_finished()

    def wants(self, task: Task) -> bool:
        """Whether a pipeline that has not ended still depends on `task`."""
        return any(not self._pipelines[p].done for p in task.pipelines)

    def enforce(self, task: Task, seconds: float, bytes: int) -> bool:
        """Ends the pipelines behind a running `task` that are above their limits; whether any.

        `seconds` is how long it has run, `bytes` what its worker uses.
        """
        allowed, room = self.limits.pipeline_seconds, self.limits.worker_bytes
        if room is not None and bytes > room:
            self.task_failed(task, over_memory(bytes, room))
            return True
        if allowed is None:
            return False
        over = [p for p in self._open_ones(task) if p.used + seconds > allowed]
        hint = "Raise budget.pipeline_seconds, or use fewer rows, rounds or features."
        error = over_time(allowed, hint)
        for pipeline in over:
            pipeline.seconds += seconds / len(task.pipelines)
            self._fail(pipeline, error, _culprit(task))
        self._check_finished()
        return bool(over)

    def task_done(
        self, task: Task, result: TaskResult, seconds: float, before: float = 0.0
    ) -> None:
        """Takes in the result of a task, which ran for `seconds`; `before` is what it had cost
        where it was over when the job came."""
        shared = len(task.pipelines)
        order = {key: position for position, key in enumerate(result.failures)}
        # A task may hold the work of thousands of pipelines: each takes its own part only,
        # found in the time of the smaller of both.
        for pipeline in self._open_ones(task):
            places = pipeline.plan.places.keys()
            for value in result.scores.keys() & pipeline.wanted:
                pipeline.scores[value] = result.scores[value]
            pipeline.waiting.discard(task.id)
            pipeline.seconds += seconds / shared
            pipeline.used += seconds
            pipeline.reused += seconds - seconds / shared + before
            for key in result.warnings.keys() & places:
                texts = dict.fromkeys(result.warnings[key])
                pipeline.warnings.setdefault(key, {}).update(texts)
            failed = (order.keys() & places) | (order.keys() & self._tables)
            if failed:
                first = min(failed, key=order.__getitem__)
                self._fail(pipeline, result.failures[first], first)
            elif not pipeline.waiting:
                self._complete(pipeline)
        self._check_finished()

    def task_failed(self, task: Task, error: StratumError) -> None:
        """Fails every open pipeline that depends on `task`."""
        for pipeline in self._open_ones(task):
            self._fail(pipeline, error, _culprit(task))
        self._check_finished()

    def stop(self, error: StratumError, state: JobState) -> None:
        """Ends everything that is still open with `error`, and so the job in `state`."""
        if self._open:
            self._state = state
        for pipeline in self._pipelines.values():
            if not pipeline.done:
                self._fail(pipeline, error, "")
        self._check_finished()

    def _open_ones(self, task: Task) -> list[_Pipeline]:
        return [self._pipelines[p] for p in task.pipelines if not self._pipelines[p].done]

    # -- ends ---------------------------------------------------------------------------------

    def _complete(self, pipeline: _Pipeline) -> None:
        metrics: dict[str, MetricResult] = {}
        fresh = {row.key: row for row in self._fresh(pipeline)}
        for name, keys in pipeline.plan.keys.items():
            rows = [self._known.get(key) or fresh.get(key) for key in keys]
            folds = [row.folds for row in rows if row is not None]
            if len(folds) < len(rows):
                error = ExecutionError(
                    "internal_error",
                    f"The metric '{name}' was not computed.",
                    hint="Send the pipeline again; report it if it happens again.",
                )
                self._fail(pipeline, error, "")
                return
            metrics[name] = MetricResult.of(folds)
        self._end(pipeline, "ok", metrics=metrics, fresh=tuple(fresh.values()))

    def _fail(self, pipeline: _Pipeline, error: StratumError, key: str) -> None:
        plan = pipeline.plan
        place = plan.places.get(key, "")
        if error.code in _DATA_CODES:
            # The file is at fault, not the steps that read it.
            place = re.sub(r"\.prepare$", ".dataset", place)
        if place and not error.path:
            error = type(error)(error.code, error.message, path=place, hint=error.hint)
        known = key if key in plan.places or key in self._tables else ""
        status = STATUS_OF_CODE.get(error.code, "failed")
        fresh = tuple(self._fresh(pipeline))
        self._end(pipeline, status, error=error, node=known, fresh=fresh)

    def _end(self, pipeline: _Pipeline, status: Any, **fields: Any) -> None:
        pipeline.done = True
        self._open -= 1
        keys = [key for keys in pipeline.plan.keys.values() for key in keys]
        warnings = dict.fromkeys(text for key in keys for text in self._warnings(pipeline, key))
        outcome = Outcome(
            pipeline.plan.index,
            status,
            seconds=pipeline.seconds,
            reused_seconds=pipeline.reused,
            warnings=tuple(warnings),
            **fields,
        )
        _guarded(lambda: self._on_outcome(outcome))

    def _fresh(self, pipeline: _Pipeline) -> list[ScoreRow]:
        """The scores of which every fold was computed, as the catalog keeps them."""
        rows = []
        for name, keys in pipeline.plan.keys.items():
            cost = (pipeline.seconds + pipeline.reused) / len(keys)
            for key, values in zip(keys, pipeline.plan.scores[name], strict=True):
                if key in self._known or any(v not in pipeline.scores for v in values):
                    continue
                folds = tuple(pipeline.scores[value] for value in values)
                rows.append(ScoreRow(key, folds, cost, self._warnings(pipeline, key)))
        return rows

    def _warnings(self, pipeline: _Pipeline, key: str) -> tuple[str, ...]:
        """Warnings of the work behind one score, in the order of the spec."""
        known = self._known.get(key)
        if known is not None:
            return tuple(str(text) for text in known.warnings)
        if not pipeline.warnings:
            return ()
        plan = pipeline.plan
        score_of = {
            value.key: logical
            for name, keys in plan.keys.items()
            for logical, values in zip(keys, plan.scores[name], strict=True)
            for value in values[:1]
        }
        texts: dict[str, None] = {}
        for node in plan.places:
            # What only another metric warns of does not belong to this score.
            if node in pipeline.warnings and score_of.get(node, key) == key:
                texts.update(pipeline.warnings[node])
        return tuple(texts)

    def _check_finished(self) -> None:
        if self._open == 0 and not self.finished.is_set():
            self.finished.set()
            _guarded(lambda: self._on_finish(self._state))


def _scores_of(plan: PipelinePlan) -> set[Value]:
    return {value for rows in plan.scores.values() for values in rows for value in values}


def _culprit(task: Task) -> str:
    """The node that most likely took the time or the memory of a task."""
    for instruction in reversed(task.instructions):
        if instruction.op.role not in (Role.ANSWER, Role.SCORE):
            return instruction.out.key
    return task.instructions[-1].out.key if task.instructions else ""


def _stored_seconds(plan: PipelinePlan, known: Mapping[str, ScoreRow]) -> float:
    """What the known scores had cost; the metrics of a seed share one fit."""
    seeds: defaultdict[int, float] = defaultdict(float)
    for keys in plan.keys.values():
        for seed, key in enumerate(keys):
            if key in known and math.isfinite(known[key].seconds):
                seeds[seed] = max(seeds[seed], known[key].seconds)
    return sum(seeds.values())


def _guarded(callback: Callable[[], None]) -> None:
    """What a listener does wrong must not end the thread that serves all jobs."""
    try:
        callback()
    except Exception:
        _LOG.exception("an outcome could not be reported")
