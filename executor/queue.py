"""What waits to run: tasks of all jobs merged by what they produce, fair between sessions.

Input: jobs, and results of tasks. Output: the next task to run. Used on the scheduler's thread.

A task that makes what another one makes already, or has made a moment ago, is not begun: its
job is attached to that one, whoever planned it and when.

Two things always hold. A task is dropped only together with all that waits for it. And a job
that waits for a task also waits for every task that this one needs, so that no other job can
drop those.
"""

import heapq
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from executor.calls import Calls
from executor.fairness import Fairness
from executor.jobs import JobRun
from executor.recent import Answered, RecentScores
from executor.results import TaskResult
from executor.running import Running
from executor.store import Store
from planner.errors import StratumError
from planner.plan import Task, Value


class Queue:
    """Tasks that wait, by job; finished tasks hand their results to every job behind them."""

    def __init__(self, store: Store) -> None:
        self.calls = Calls()
        self.deadlines = 0
        self._store = store
        self._fairness = Fairness()
        self._recent = RecentScores()
        self._jobs: dict[int, JobRun] = {}
        self._tasks: dict[int, list[Running]] = {}  # of each job, inputs first
        self._ready: dict[int, list[tuple[int, int, Running]]] = {}
        self._producers: dict[Value, Running] = {}
        self._count = 0

    def __len__(self) -> int:
        """Entries that wait; approximate. May be asked from any thread."""
        return sum(len(heap) for heap in tuple(self._ready.values())) + len(self.calls)

    def jobs(self) -> list[JobRun]:
        return list(self._jobs.values())

    def add_call(self, running: Running) -> None:
        self.calls.append(running)

    def drop_call(self, future: "Future[dict[str, Any]]", error: StratumError) -> None:
        """Fails a call that has not begun."""
        for call in [call for call in self.calls if call.future is future]:
            self.calls.remove(call)
            call.fail_call(error)

    # -- jobs ---------------------------------------------------------------------------------

    def add_job(self, job: JobRun) -> None:
        """Queues the tasks of a job; a task that another job runs already is attached to, and
        one that has just run is answered."""
        self._jobs[id(job)] = job
        self._ready[id(job)] = []
        self._fairness.join(job.session, id(job))
        self._count_deadlines()
        self._store.pin(_blocks(job))
        made: dict[int, Running] = {}
        answered: list[tuple[Task, Answered]] = []
        for task in job.plan.tasks:
            made[task.id] = running = self._add(job, task, made)
            if running.state == "finished":
                found = self._recent.answer(task, self._store.has)
                assert found is not None
                answered.append((task, found))
        self._tasks[id(job)] = list(made.values())
        for task, found in answered:
            job.task_done(task, found.result, 0.0, found.seconds)

    def remove_job(self, job: JobRun) -> None:
        """Forgets a job that has ended, and what only that had wanted and has not begun."""
        if self._jobs.pop(id(job), None) is None:
            return
        del self._ready[id(job)]
        self._fairness.leave(job.session, id(job))
        for running in reversed(self._tasks.pop(id(job), [])):
            running.subscribers = [s for s in running.subscribers if s[0] is not job]
            if running.state == "waiting" and not running.subscribers:
                self.forget(running)
        self._count_deadlines()
        self._store.unpin(_blocks(job))

    def _count_deadlines(self) -> None:
        self.deadlines = sum(1 for job in self._jobs.values() if job.deadline is not None)

    def _add(self, job: JobRun, task: Task, made: Mapping[int, Running]) -> Running:
        outputs = [*task.saves, *task.scores]
        shared = self._same(job, outputs)
        if shared is not None:
            shared.subscribers.append((job, task))
            if shared.state == "waiting" and not shared.needs:
                self._push(shared, job, task)
            return shared
        running = Running("run_task", {}, task=task, threads=task.threads, bytes=task.bytes)
        if shared is None and self._recent.answer(task, self._store.has) is not None:
            running.state = "finished"
            return running
        running.subscribers.append((job, task))
        for value in outputs:
            other = self._producers.get(value)
            if other is None or other.dying:
                self._producers[value] = running
        for need in task.needs:
            source = made[need]
            if source.state != "finished":
                running.needs.add(source)
                source.dependents.append(running)
        if not running.needs:
            self._push(running, job, task)
        return running

    def _same(self, job: JobRun, outputs: list[Value]) -> Running | None:
        """What already makes all of `outputs`, and needs nothing that this job does not."""
        found = {id(p): p for value in outputs if (p := self._producers.get(value)) is not None}
        if len(found) != 1 or not all(value in self._producers for value in outputs):
            return None
        running = next(iter(found.values()))
        needed = all(any(j is job for j, _ in need.subscribers) for need in running.needs)
        return running if needed and not running.dying else None

    def _push(self, running: Running, job: JobRun, task: Task) -> None:
        self._count += 1
        heap = self._ready.get(id(job))
        if heap is not None:
            heapq.heappush(heap, (task.id, self._count, running))

    # -- next ---------------------------------------------------------------------------------

    def next_task(self) -> Running | None:
        """The first wanted task of the job that is to be served next (see `executor.fairness`).

        It stays the next one until it has begun.
        """
        for job in self._fairness.order():
            heap = self._ready[job]
            while heap:
                running = heap[0][2]
                if running.state == "waiting" and not running.needs:
                    if running.wanted():
                        return running
                    self.forget(running)
                heapq.heappop(heap)
        return None

    def task_of(self, running: Running, idle: int) -> Task | None:
        """The task of `running`, with the `idle` cores where nothing else could begin on them.

        They are lent, not taken from the budget: what comes meanwhile begins at once. Backends
        use more than one only where the answer does not depend on it: kernels, and queries that
        add no floating-point numbers.
        """
        task = running.task
        if task is None or idle <= task.threads or self._others(running):
            return task
        return replace(task, threads=idle)

    def _others(self, running: Running) -> bool:
        """Whether something besides `running` could begin now."""
        return any(
            other is not running and other.state == "waiting" and not other.needs and other.wanted()
            for heap in self._ready.values()
            for _, _, other in heap
        )

    def begun(self, running: Running) -> None:
        """It runs now."""
        if running.task is not None:
            running.began = running.sharers
            self._fairness.begin(running.began, running.task.seconds)

    def spent(self, running: Running, seconds: float) -> None:
        """It has run for that long, whatever came of it; to be said before anything else."""
        if running.task is not None:
            began, running.began = running.began, {}
            sharers = running.sharers or began
            self._fairness.end(began, running.task.seconds, sharers, seconds)

    def again(self, running: Running) -> None:
        """Queues a task or a call for another attempt."""
        running.state = "waiting"
        if running.future is not None:
            self.calls.again(running)
        for job, task in running.subscribers:
            self._push(running, job, task)

    # -- results ------------------------------------------------------------------------------

    def done(self, running: Running, result: TaskResult, seconds: float) -> Iterable[JobRun]:
        """Hands a result to the jobs behind `running`; gives back the jobs it touched."""
        assert running.task is not None
        for name, size, cost in result.saved:
            self._store.note(name, size, cost)
        saved = {name for name, _, _ in result.saved}
        lost = {value for value in running.task.saves if value.name not in saved}
        self._recent.note(result, seconds)
        touched = self._hand_out(running, result, seconds)
        for dependent in running.dependents:
            dependent.needs.discard(running)
            assert dependent.task is not None
            if lost.intersection(dependent.task.loads):
                touched += self._inherit(dependent, TaskResult(failures=result.failures))
            elif not dependent.needs and dependent.state == "waiting":
                for job, task in dependent.subscribers:
                    self._push(dependent, job, task)
        return touched

    def _hand_out(self, running: Running, result: TaskResult, seconds: float) -> list[JobRun]:
        self._retire(running)
        for job, task in running.subscribers:
            job.task_done(task, result, seconds)
        return [job for job, _ in running.subscribers]

    def _inherit(self, running: Running, cause: TaskResult) -> list[JobRun]:
        """Ends what lacks an input that could not be made, with the failures of its maker."""
        touched = []
        for current in _waiting(running):
            touched += self._hand_out(current, cause, 0.0)
        return touched

    def failed(self, running: Running, error: StratumError) -> Iterable[JobRun]:
        """A task as a whole failed: everything that depends on it does."""
        touched = []
        for current in (running, *(d for one in running.dependents for d in _waiting(one))):
            self._retire(current)
            for job, task in current.subscribers:
                job.task_failed(task, error)
                touched.append(job)
        return touched

    def forget(self, running: Running) -> None:
        """Drops a task that nobody wants any more, and what waits for it."""
        self._retire(running)
        for dependent in running.dependents:
            for current in _waiting(dependent):
                self._retire(current)

    def _retire(self, running: Running) -> None:
        running.state = "finished"
        if running.task is None:
            return
        for value in (*running.task.saves, *running.task.scores):
            if self._producers.get(value) is running:
                del self._producers[value]


def _waiting(running: Running) -> list[Running]:
    """`running` and what depends on it, each once, as far as it waits."""
    found: dict[int, Running] = {}
    stack = [running]
    while stack:
        current = stack.pop()
        if current.state == "waiting" and id(current) not in found:
            found[id(current)] = current
            stack.extend(current.dependents)
    return list(found.values())


def _blocks(job: JobRun) -> list[str]:
    return [value.name for task in job.plan.tasks for value in (*task.loads, *task.saves)]
