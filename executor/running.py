"""What is on its way through the scheduler. Input: a task or a call. Output: its state, shared by
all who wait for it."""

import time
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from executor.budget import Lease
from executor.fairness import Sharers
from executor.jobs import JobRun
from planner.errors import StratumError
from planner.plan import Task


@dataclass(eq=False)
class Running:
    """A task or a call on its way through the scheduler, shared by every job that needs it.

    Attributes:
        subscribers: Jobs that wait for it, each with the task of its own plan that this answers.
        needs, dependents: What must finish first, and what waits for it.
        kill_error: Why its worker is being killed, where that is its own fault.
        abandoned: Its worker is being killed because nobody wants the result any more.
        session: Who made a call.
        began: Whose task it was when it began.
    """

    function: str
    arguments: Mapping[str, Any]
    task: Task | None = None
    future: "Future[dict[str, Any]] | None" = None
    threads: int = 1
    bytes: int = 0
    subscribers: list[tuple[JobRun, Task]] = field(default_factory=list)
    needs: set["Running"] = field(default_factory=set)
    dependents: list["Running"] = field(default_factory=list)
    state: Literal["waiting", "running", "finished"] = "waiting"
    attempts: int = 0
    started: float = 0.0
    seconds_allowed: float = 0.0
    lease: Lease | None = None
    kill_error: StratumError | None = None
    abandoned: bool = False
    session: str = ""
    began: Sharers = field(default_factory=dict)

    @classmethod
    def call(
        cls,
        function: str,
        arguments: Mapping[str, Any],
        seconds: float,
        future: "Future[dict[str, Any]]",
        session: str = "",
    ) -> "Running":
        return cls(function, arguments, future=future, seconds_allowed=seconds, session=session)

    @property
    def sharers(self) -> Sharers:
        """The jobs that wait for it, by session."""
        found: defaultdict[str, set[int]] = defaultdict(set)
        for job, _ in self.subscribers:
            found[job.session].add(id(job))
        return dict(found)

    @property
    def dying(self) -> bool:
        return self.abandoned or self.kill_error is not None

    def begin(self) -> None:
        self.state = "running"
        self.attempts += 1
        self.started = time.monotonic()

    def wanted(self) -> bool:
        """Whether a pipeline still waits for it, or for what needs it."""
        if self.future is not None:
            return True
        if any(job.wants(task) for job, task in self.subscribers):
            return True
        return any(d.state == "waiting" and d.wanted() for d in self.dependents)

    def fail_call(self, error: StratumError) -> None:
        if self.future is not None and not self.future.done():
            self.future.set_exception(error)
