"""A job as its clients see it: progress, results so far, the end.

Input: outcomes from the executor. Output: snapshots for any number of waiting clients. Thread
safe.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from executor.results import MetricResult, Outcome
from planner.errors import StratumError
from planner.fidelity import Fidelity, reached
from tools.responses import (
    ErrorInfo,
    Evaluation,
    HoldoutScore,
    JobInfo,
    MetricValue,
    PlanInfo,
    State,
)


@dataclass
class Entry:
    """One pipeline of a job: what was asked, and its evaluation once it has ended."""

    name: str
    spec: dict[str, Any]
    id: str = ""
    cv: str = ""
    features: list[dict[str, Any]] | None = None
    notes: tuple[str, ...] = ()
    primary: str = ""
    greater_is_better: bool = True
    comparable: str = ""
    dataset: str = ""
    target: str = ""
    keys: dict[str, list[str]] = field(default_factory=dict)
    fidelity: Fidelity = "exact"
    holdout: HoldoutScore | None = None
    exact: dict[str, MetricValue] | None = None
    evaluation: Evaluation | None = None


class Job:
    """See the module. `version` grows with every change, for `wait_change`.

    A job is submitted until it is planned; `asked` is the number of pipelines sent, which may
    be fewer than its entries then. `error` says why it could not be planned, `held` for how
    many seconds planning waited for its turn and for company.
    """

    def __init__(
        self, id: str, kind: str, entries: Sequence[Entry], session: str = "", asked: int = 0
    ) -> None:
        self.id = id
        self.kind = kind
        self.session = session
        self.entries = list(entries)
        self.asked = asked
        self.error: StratumError | None = None
        self.held = 0.0
        self.state: State = "submitted"
        self.plan: PlanInfo | None = None
        self.version = 0
        self.created = time.time()
        self._started = time.monotonic()
        self._ended: float | None = None
        self._changed = threading.Condition()
        self._cancel: Callable[[], None] | None = None
        self._shares: dict[int, float] = {}
        self._listeners: list[Callable[[], None]] = []
        self._first: Callable[[], None] | None = None
        self.warnings: tuple[str, ...] = ()
        self.warned = threading.Event()  # all warnings about the data are there

    # -- the engine's side --------------------------------------------------------------------

    def submitted(self, cancel: Callable[[], None]) -> None:
        """The job is to be planned; `cancel` ends it until it runs."""
        with self._changed:
            self._cancel = cancel

    def run(
        self,
        plan: PlanInfo | None,
        cancel: Callable[[], None],
        shares: Mapping[int, float] | None = None,
    ) -> None:
        """The job starts running; `cancel` ends it.

        `shares` are the expected seconds of its pipelines, by position.
        """
        with self._changed:
            self.plan = plan
            self._shares = dict(shares or {})
            self._cancel = cancel
            self.state = "running"
            self._notify()

    def evaluation(self, position: int, outcome: Outcome) -> Evaluation:
        """The evaluation that an outcome makes; nothing changes."""
        entry = self.entries[position]
        return Evaluation(
            name=entry.name,
            id=entry.id,
            status=outcome.status,
            metrics={name: metric_value(value) for name, value in outcome.metrics.items()},
            seconds=round(outcome.seconds, 6),
            reused_seconds=round(outcome.reused_seconds, 6),
            warnings=[*entry.notes, *outcome.warnings],
            error=None if outcome.error is None else error_info(outcome.error),
            cv=entry.cv,
            features=entry.features,
            holdout=entry.holdout,
            fidelity=reached(entry.fidelity, outcome.warnings),
            exact=entry.exact,
        )

    def record(self, position: int, outcome: Outcome) -> Evaluation:
        """Takes in an outcome, and gives back the evaluation it makes."""
        evaluation = self.evaluation(position, outcome)
        with self._changed:
            self.entries[position].evaluation = evaluation
            first = self._first if outcome.status == "ok" else None
            if first is not None:
                self._first = None
            self._notify()
        if first is not None:
            first()
        return evaluation

    def when_scored(self, listener: Callable[[], None]) -> None:
        """Has `listener` called once the first pipeline has a score."""
        with self._changed:
            if not any(e.evaluation and e.evaluation.status == "ok" for e in self.entries):
                self._first = listener
                return
        listener()

    def warn(self, texts: Sequence[str]) -> None:
        """Warnings about the data behind all pipelines, which may come after its end."""
        if not texts:
            return
        with self._changed:
            self.warnings = tuple(dict.fromkeys((*self.warnings, *texts)))
            self._notify()

    def finish(self, state: State) -> None:
        with self._changed:
            if self._ended is not None:
                return
            self.state = state
            self._ended = time.monotonic()
            self._cancel = None  # it keeps the whole graph alive
            listeners, self._listeners = self._listeners, []
            self._notify()
        for listener in listeners:
            listener()

    def when_finished(self, listener: Callable[[], None]) -> None:
        """Has `listener` called once the job has ended, by whoever ends it."""
        with self._changed:
            if self._ended is None:
                self._listeners.append(listener)
                return
        listener()

    def _notify(self) -> None:
        self.version += 1
        self._changed.notify_all()

    # -- the clients' side --------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        return self._ended is not None

    @property
    def total(self) -> int:
        """Its pipelines; until it is planned, those sent, before choices make them more."""
        return len(self.entries) or self.asked

    @property
    def seconds(self) -> float:
        return (self._ended or time.monotonic()) - self._started

    @property
    def done(self) -> int:
        return sum(1 for entry in self.entries if entry.evaluation is not None)

    def cancel(self) -> None:
        """Ends the job now; what has been computed stays."""
        with self._changed:
            cancel = self._cancel
        if cancel is not None and not self.finished:
            cancel()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits for the end; False if it has not come in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self.finished, seconds)

    def wait_planned(self, seconds: float | None = None) -> bool:
        """Waits until it runs or has ended; False if that has not come in time."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self.state != "submitted" or self.finished, seconds
            )

    def wait_change(self, version: int, seconds: float | None = None) -> int:
        """Waits until something changed since `version`; gives back the version now."""
        with self._changed:
            self._changed.wait_for(lambda: self.version != version, seconds)
            return self.version

    def _open_share(self) -> float:
        """The share of the expected work that pipelines still wait for."""
        weights = [self._shares.get(at, 0.0) for at in range(len(self.entries))]
        if sum(weights) <= 0:
            return 1 - self.done / max(self.total, 1)
        left = (w for w, e in zip(weights, self.entries, strict=True) if e.evaluation is None)
        return sum(left) / sum(weights)

    def in_order(self) -> list[Evaluation]:
        """Evaluations that have ended, in the order in which they were sent."""
        return [e.evaluation for e in self.entries if e.evaluation is not None]

    def info(self, *, limit: int | None = None, cursor: int = 0) -> JobInfo:
        """A snapshot; evaluations best first, failures last."""
        with self._changed:
            done = [e for e in self.entries if e.evaluation is not None]
            ranked = ranked_entries(done)
            failed = sum(1 for e in done if e.evaluation and e.evaluation.status != "ok")
        stop = len(ranked) if limit is None else cursor + limit
        primary = self.entries[0] if self.entries else Entry("", {})
        for entry in self.entries:
            if entry.primary:
                primary = entry
                break
        left = None
        if self.plan is not None and not self.finished:
            left = round(self.plan.expected_seconds * self._open_share(), 1)
        return JobInfo(
            job=self.id,
            kind=self.kind,
            state=self.state,
            total=self.total,
            done=len(done),
            failed=failed,
            seconds=round(self.seconds, 3),
            metric=primary.primary,
            greater_is_better=primary.greater_is_better,
            expected_seconds=left,
            plan=self.plan,
            evaluations=[e.evaluation for e in ranked[cursor:stop] if e.evaluation is not None],
            next_cursor=str(stop) if stop < len(ranked) else None,
            warnings=list(self.warnings),
        )


def ranked_entries(entries: Sequence[Entry]) -> list[Entry]:
    """Entries by their primary metric, best first; failed ones last, in the order sent."""

    def key(entry: Entry) -> tuple[int, float]:
        evaluation = entry.evaluation
        value = evaluation.metrics.get(entry.primary) if evaluation else None
        if value is None or value.mean is None:
            return (1, 0.0)
        return (0, -value.mean if entry.greater_is_better else value.mean)

    return sorted(entries, key=key)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def metric_value(result: MetricResult) -> MetricValue:
    """JSON has no NaN: what is not finite becomes null."""
    return MetricValue(
        mean=_number(result.mean),
        std=_number(result.std),
        folds=[_number(value) for value in result.folds],
    )


def error_info(error: StratumError) -> ErrorInfo:
    return ErrorInfo(**error.to_dict())
