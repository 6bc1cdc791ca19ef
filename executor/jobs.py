"""A job in execution: which pipelines still wait for which tasks, and how they end.

Input: a `Plan` and finished tasks. Output: one `Outcome` a pipeline, as soon as it is known.
Used on the scheduler's thread only, except where noted.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from executor.results import STATUS_OF_CODE, MetricResult, Outcome
from planner.errors import ExecutionError, SpecError, StratumError
from planner.ops import Materialise
from planner.plan import PipelinePlan, Plan, Task, Value


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
    scores: dict[Value, float] = field(default_factory=dict)
    seconds: float = 0.0
    used: float = 0.0
    reused: float = 0.0
    warnings: dict[str, None] = field(default_factory=dict)
    done: bool = False


class JobRun:
    """The running side of a job.

    Args:
        job: Id of the job; `session` groups jobs for fairness.
        on_outcome: Called on the scheduler's thread with each outcome, once a pipeline.
        on_finish: Called on the scheduler's thread when every pipeline has ended.
        known: Scores that the catalog answered: logical key -> per-fold values.
        stored_seconds: What the stored scores had cost, by logical key.
    """

    def __init__(
        self,
        job: str,
        plan: Plan,
        *,
        limits: Limits,
        on_outcome: Callable[[Outcome], None],
        on_finish: Callable[[], None],
        session: str = "",
        known: Mapping[str, list[float]] | None = None,
        stored_seconds: Mapping[str, float] | None = None,
    ) -> None:
        self.job = job
        self.plan = plan
        self.limits = limits
        self.session = session
        self.started = time.monotonic()
        self.finished = threading.Event()
        self.used = 0.0  # worker seconds, for fairness
        self._on_outcome = on_outcome
        self._on_finish = on_finish
        self._known = dict(known or {})
        waiting: defaultdict[int, set[int]] = defaultdict(set)
        self._tables = set()
        for task in plan.tasks:
            for position in task.pipelines:
                waiting[position].add(task.id)
            for instruction in task.instructions:
                if isinstance(instruction.op, Materialise):
                    self._tables.add(instruction.out.key)
        self._pipelines = {p.index: _Pipeline(p, waiting[p.index]) for p in plan.pipelines}
        stored = stored_seconds or {}
        for pipeline in self._pipelines.values():
            for keys in pipeline.plan.keys.values():
                pipeline.reused += sum(stored.get(key, 0.0) for key in keys)

    @property
    def deadline(self) -> float | None:
        """Monotonic time at which the job ends, if it is bounded."""
        return None if self.limits.seconds is None else self.started + self.limits.seconds

    def begin(self) -> None:
        """Ends the pipelines that need no work."""
        for pipeline in list(self._pipelines.values()):
            if not pipeline.waiting:
                self._complete(pipeline)
        self._check_finished()

    def wants(self, task: Task) -> bool:
        """Whether a pipeline that has not ended still depends on `task`."""
        return any(not self._pipelines[p].done for p in task.pipelines)

    def seconds_left(self, task: Task) -> float | None:
        """Worker seconds that `task` may take before every pipeline behind it is over budget."""
        if self.limits.pipeline_seconds is None:
            return None
        open_ = [self._pipelines[p] for p in task.pipelines if not self._pipelines[p].done]
        used = min((pipeline.used for pipeline in open_), default=0.0)
        return max(self.limits.pipeline_seconds - used, 0.0)

    def task_done(self, task: Task, result: Mapping[str, Any], seconds: float) -> None:
        """Takes in the result of a task (see `executor.program.run`)."""
        open_ = [self._pipelines[p] for p in task.pipelines if not self._pipelines[p].done]
        scores = {
            Value(key, fold): float(value) for key, fold, value in result.get("scores", ())
        }
        failures: Mapping[str, Mapping[str, str]] = result.get("failures", {})
        shared = len(task.pipelines)
        self.used += seconds / max(result.get("jobs", 1), 1)
        for pipeline in open_:
            pipeline.scores.update(scores)
            pipeline.waiting.discard(task.id)
            pipeline.seconds += seconds / shared
            pipeline.used += seconds
            pipeline.reused += seconds - seconds / shared
            for key, texts in result.get("warnings", {}).items():
                if key in pipeline.plan.places:
                    pipeline.warnings.update(dict.fromkeys(texts))
            for key, error in failures.items():
                if key in pipeline.plan.places or key in self._tables:
                    self._fail(pipeline, _error(error), key)
                    break
            else:
                if not pipeline.waiting:
                    self._complete(pipeline)
        self._check_finished()

    def task_failed(self, task: Task, error: StratumError, key: str = "") -> None:
        """Fails every open pipeline that depends on `task`."""
        for position in task.pipelines:
            pipeline = self._pipelines[position]
            if not pipeline.done:
                self._fail(pipeline, error, key)
        self._check_finished()

    def stop(self, error: StratumError) -> None:
        """Ends everything that is still open with `error` (cancelled, skipped, timeout)."""
        for pipeline in self._pipelines.values():
            if not pipeline.done:
                self._fail(pipeline, error, "")
        self._check_finished()

    def _complete(self, pipeline: _Pipeline) -> None:
        metrics: dict[str, MetricResult] = {}
        for name, seeds in pipeline.plan.scores.items():
            values = []
            for seed, key in zip(seeds, pipeline.plan.keys[name], strict=True):
                if key in self._known:
                    values.append(list(self._known[key]))
                    continue
                missing = [value for value in seed if value not in pipeline.scores]
                if missing:
                    error = ExecutionError(
                        "internal_error",
                        f"Fold {missing[0].fold} of metric '{name}' was not computed.",
                        hint="Send the pipeline again; report it if it happens again.",
                    )
                    self._fail(pipeline, error, missing[0].key)
                    return
                values.append([pipeline.scores[value] for value in seed])
            metrics[name] = MetricResult.of(values)
        pipeline.done = True
        self._on_outcome(
            Outcome(
                pipeline.plan.index,
                "ok",
                metrics,
                pipeline.seconds,
                pipeline.reused,
                tuple(pipeline.warnings),
            )
        )

    def _fail(self, pipeline: _Pipeline, error: StratumError, key: str) -> None:
        pipeline.done = True
        place = pipeline.plan.places.get(key, "")
        if place and not error.path:
            error = type(error)(error.code, error.message, path=place, hint=error.hint)
        self._on_outcome(
            Outcome(
                pipeline.plan.index,
                STATUS_OF_CODE.get(error.code, "failed"),
                {},
                pipeline.seconds,
                pipeline.reused,
                tuple(pipeline.warnings),
                error,
            )
        )

    def _check_finished(self) -> None:
        if not self.finished.is_set() and all(p.done for p in self._pipelines.values()):
            self.finished.set()
            self._on_finish()


def _error(data: Mapping[str, str]) -> StratumError:
    kind = SpecError if data["code"].startswith(("unknown_", "invalid_")) else ExecutionError
    return kind(data["code"], data["message"], path=data.get("path", ""), hint=data.get("hint", ""))
