"""What waits to run: tasks of all jobs merged by what they produce, fair between sessions.

Input: jobs, and results of tasks. Output: the next task to run. Used on the scheduler's thread.
"""

import heapq
import time
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from executor.budget import Lease
from executor.jobs import JobRun
from executor.store import Store
from planner.errors import StratumError
from planner.plan import Task, Value


@dataclass(eq=False)
class Running:
    """A task or a call on its way through the scheduler, shared by every job that needs it."""

    function: str
    arguments: Mapping[str, Any]
    task: Task | None = None
    future: "Future[dict[str, Any]] | None" = None
    threads: int = 1
    bytes: int = 0
    subscribers: list[tuple[JobRun, Task]] = field(default_factory=list)
    needs: set["Running"] = field(default_factory=set)
    dependents: list["Running"] = field(default_factory=list)
    state: str = "waiting"  # waiting | running | finished
    attempts: int = 0
    started: float = 0.0
    seconds_allowed: float = 0.0
    worker_bytes: int | None = None
    lease: Lease | None = None
    kill_error: StratumError | None = None
    abandoned: bool = False
    failures: dict[str, dict[str, str]] = field(default_factory=dict)
    lost: set[Value] = field(default_factory=set)

    @classmethod
    def call(
        cls,
        function: str,
        arguments: Mapping[str, Any],
        seconds: float,
        future: "Future[dict[str, Any]]",
    ) -> "Running":
        return cls(function, arguments, future=future, seconds_allowed=seconds)

    def begin(self) -> None:
        self.state = "running"
        self.attempts += 1
        self.kill_error = None
        self.started = time.monotonic()
        bounds = [job.limits.worker_bytes for job, _ in self.subscribers]
        known = [bound for bound in bounds if bound is not None]
        self.worker_bytes = max(known) if known and len(known) == len(bounds) else None

    def wanted(self) -> bool:
        """Whether a pipeline still waits for it (a call is always wanted)."""
        return self.future is not None or any(job.wants(task) for job, task in self.subscribers)

    def seconds_left(self) -> float | None:
        """Allowed duration of this run: the most patient of those who wait for it."""
        if self.future is not None:
            return self.seconds_allowed
        left = [job.seconds_left(task) for job, task in self.subscribers if job.wants(task)]
        known = [seconds for seconds in left if seconds is not None]
        if not known or len(known) < len(left):
            return None
        self.seconds_allowed = max(known)
        return self.seconds_allowed

    def fail_call(self, error: StratumError) -> None:
        if self.future is not None and not self.future.done():
            self.future.set_exception(error)


class Queue:
    """Tasks that wait, by job; finished tasks hand their results to every job behind them."""

    def __init__(self, store: Store) -> None:
        self.calls: deque[Running] = deque()
        self.deadlines = 0
        self._store = store
        self._jobs: dict[int, JobRun] = {}
        self._ready: dict[int, list[tuple[int, int, Running]]] = {}
        self._producers: dict[Value, Running] = {}
        self._count = 0

    def __len__(self) -> int:
        return sum(len(heap) for heap in self._ready.values()) + len(self.calls)

    def jobs(self) -> list[JobRun]:
        return list(self._jobs.values())

    def add_call(self, running: Running) -> None:
        self.calls.append(running)

    def drop_call(self, future: "Future[dict[str, Any]]") -> None:
        self.calls = deque(call for call in self.calls if call.future is not future)

    # -- jobs ---------------------------------------------------------------------------------

    def add_job(self, job: JobRun) -> None:
        """Queues the tasks of a job; a task that another job runs already is attached to."""
        self._jobs[id(job)] = job
        self._ready[id(job)] = []
        self._count_deadlines()
        self._store.pin(_blocks(job))
        made: dict[int, Running] = {}
        for task in job.plan.tasks:
            made[task.id] = self._add(job, task, made)

    def remove_job(self, job: JobRun) -> None:
        if self._jobs.pop(id(job), None) is None:
            return
        for _, _, running in self._ready.pop(id(job)):
            running.subscribers = [s for s in running.subscribers if s[0] is not job]
            if running.state == "waiting" and not running.subscribers:
                self.forget(running)
        self._count_deadlines()
        self._store.unpin(_blocks(job))
        self._store.evict()

    def _count_deadlines(self) -> None:
        self.deadlines = sum(1 for job in self._jobs.values() if job.deadline is not None)

    def _add(self, job: JobRun, task: Task, made: Mapping[int, Running]) -> Running:
        outputs = [*task.saves, *task.scores]
        producers = {id(self._producers[v]): self._producers[v] for v in outputs
                     if v in self._producers}  # fmt: skip
        if len(producers) == 1 and all(value in self._producers for value in outputs):
            running = next(iter(producers.values()))
            running.subscribers.append((job, task))
            if running.state == "waiting" and not running.needs:
                self._push(running, job, task)
            return running
        running = Running("run_task", {}, task=task, threads=task.threads, bytes=task.bytes)
        running.subscribers.append((job, task))
        for value in outputs:
            self._producers.setdefault(value, running)
        for need in task.needs:
            source = made[need]
            if source.state != "finished":
                running.needs.add(source)
                source.dependents.append(running)
        if not running.needs:
            self._push(running, job, task)
        return running

    def _push(self, running: Running, job: JobRun, task: Task) -> None:
        self._count += 1
        heap = self._ready.get(id(job))
        if heap is not None:
            heapq.heappush(heap, (task.id, self._count, running))

    # -- next ---------------------------------------------------------------------------------

    def next_task(self) -> Running | None:
        """The first wanted task of the job whose session has used the least worker time."""
        used: dict[str, float] = {}
        for job in self._jobs.values():
            used[job.session] = used.get(job.session, 0.0) + job.used
        for job in sorted(self._jobs.values(), key=lambda j: (used[j.session], j.started)):
            heap = self._ready[id(job)]
            while heap:
                _, _, running = heapq.heappop(heap)
                if running.state != "waiting" or running.needs:
                    continue
                if running.wanted():
                    return running
                self.forget(running)
        return None

    def put_back(self, running: Running) -> None:
        """Returns a task that could not be started."""
        for job, task in running.subscribers:
            self._push(running, job, task)

    def again(self, running: Running) -> None:
        """Queues a task for another attempt."""
        running.state = "waiting"
        self.put_back(running)

    # -- results ------------------------------------------------------------------------------

    def done(
        self, running: Running, result: dict[str, Any], seconds: float
    ) -> Iterable[JobRun]:
        """Hands a result to the jobs behind `running`; gives back those jobs."""
        assert running.task is not None
        for name, size, cost in result["saved"]:
            self._store.note(name, int(size), float(cost))
        saved = {name for name, _, _ in result["saved"]}
        running.failures = result["failures"]
        running.lost = {value for value in running.task.saves if value.name not in saved}
        self._retire(running)
        result["jobs"] = len(running.subscribers)
        for job, task in running.subscribers:
            job.task_done(task, result, seconds)
        for dependent in running.dependents:
            dependent.needs.discard(running)
            missing = running.lost.intersection(dependent.task.loads if dependent.task else ())
            if missing:
                self._inherit(dependent, running)
            elif not dependent.needs and dependent.state == "waiting":
                for job, task in dependent.subscribers:
                    self._push(dependent, job, task)
        return [job for job, _ in running.subscribers]

    def _inherit(self, running: Running, cause: Running) -> None:
        """Fails a task whose inputs could not be made, with the error of their maker."""
        if running.state == "finished":
            return
        self._retire(running)
        running.lost = set(running.task.saves) if running.task else set()
        running.failures = cause.failures
        result: dict[str, Any] = {"scores": [], "saved": [], "warnings": {}, "failures": {}}
        result["failures"] = cause.failures
        for job, task in running.subscribers:
            job.task_done(task, result, 0.0)
        for dependent in running.dependents:
            dependent.needs.discard(running)
            self._inherit(dependent, cause)

    def failed(self, running: Running, error: StratumError) -> Iterable[JobRun]:
        """A task as a whole failed: everything that depends on it does."""
        affected = [job for job, _ in running.subscribers]
        stack = [running]
        while stack:
            current = stack.pop()
            if current.state == "finished" and current is not running:
                continue
            self._retire(current)
            for job, task in current.subscribers:
                key = task.instructions[-1].out.key if task.instructions else ""
                job.task_failed(task, error, key)
                affected.append(job)
            stack.extend(current.dependents)
        return affected

    def forget(self, running: Running) -> None:
        """Drops a task that nobody wants any more."""
        self._retire(running)

    def _retire(self, running: Running) -> None:
        running.state = "finished"
        if running.task is None:
            return
        for value in (*running.task.saves, *running.task.scores):
            if self._producers.get(value) is running:
                del self._producers[value]


def _blocks(job: JobRun) -> list[str]:
    return [
        value.name
        for task in job.plan.tasks
        for value in (*task.loads, *task.saves)
    ]
