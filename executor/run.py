"""The scheduler: runs tasks of all jobs on the worker processes.

Input: jobs with plans, and single calls (ingest, profile, query). Output: results handed to the
jobs. It is the only place that knows about time, memory and failure, and it has a thread of its
own: everything else talks to it through `submit`, `call`, `cancel` and `close`.
"""

import logging
import os
import selectors
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from executor.budget import Ledger
from executor.catalog_rows import JobState
from executor.fleet import Fleet
from executor.incidents import (
    guarded,
    over_memory,
    over_time,
    scanned_files,
    skipped,
    unforeseen,
    unreadable_blocks,
)
from executor.jobs import JobRun
from executor.messages import Exit, Message
from executor.queue import Queue
from executor.results import TaskResult
from executor.running import Running
from executor.store import Store
from executor.workers import WorkerPool
from planner.errors import ExecutionError, ServerError, StratumError
from planner.plan import Task

_LOG = logging.getLogger(__name__)
_TICK = 0.2  # seconds between looks at deadlines and memory while something runs
# Of a worker's memory, what DuckDB may plan with: it overruns its own limit at times.
_DATA_SHARE = 0.8


class Scheduler:
    """Owns the worker pool; see the module. `dataset` gives the file of a fingerprint."""

    def __init__(
        self,
        pool: WorkerPool,
        ledger: Ledger,
        store: Store,
        dataset: Callable[[str], Path],
        blocks: Path,
    ) -> None:
        self._fleet = Fleet(pool)
        self._ledger = ledger
        self._store = store
        self._dataset = dataset
        self._blocks = blocks
        # For measurements: called on this thread with what finished, its answer and seconds.
        self.observer: Callable[[Running, Any, float], None] | None = None
        # Called on this thread with the timings of a finished task, as the worker gave them.
        self.on_timings: Callable[[Task, Any], None] | None = None
        # Called on this thread when a core has become free after none was.
        self.on_free: Callable[[], None] | None = None
        self._was_full = False
        self._queue = Queue(store)
        self._commands: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()  # of the three below
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._closing = False
        self._ended = False
        self._closed = threading.Event()
        self._checked = 0.0
        self._thread = threading.Thread(target=self._loop, name="scheduler", daemon=True)

    # -- from any thread ----------------------------------------------------------------------

    def start(self) -> None:
        """Starts the thread and, without waiting, the processes."""
        self._thread.start()

    def submit(self, job: JobRun) -> None:
        """Runs a job; it reports through its callbacks."""
        self._do(lambda: self._submit(job))

    def call(
        self,
        function: str,
        arguments: Mapping[str, Any],
        seconds: float = 600.0,
        session: str = "",
    ) -> "Future[dict[str, Any]]":
        """Runs one function of the work table; the future raises `StratumError` on failure."""
        future: Future[dict[str, Any]] = Future()
        future.set_running_or_notify_cancel()
        running = Running.call(function, arguments, seconds, future, session)
        self._do(lambda: self._queue.add_call(running))
        return future

    def cancel(self, job: JobRun, error: StratumError, state: JobState = "cancelled") -> None:
        """Ends a job now: its pipelines get `error`, its running tasks are killed unless another
        job needs them."""
        self._do(lambda: self._cancel(job, error, state))

    def cancel_call(self, future: "Future[dict[str, Any]]") -> None:
        """Kills the worker of a call that nobody waits for any more."""
        self._do(lambda: self._cancel_call(future))

    def close(self, timeout: float = 10.0) -> None:
        """Ends all jobs (interrupted) and all processes; idempotent."""
        with self._lock:
            self._closing = True
            self._wake()
        if self._thread.ident is None:  # never started
            if not self._closed.is_set():
                self._end()
        elif threading.current_thread() is not self._thread:
            self._closed.wait(timeout)

    @property
    def cores(self) -> int:
        """Cores that tasks may use."""
        return self._ledger.cores

    @property
    def load(self) -> dict[str, int]:
        """Tasks running and waiting, workers alive; approximate."""
        return {
            "running": len(self._fleet.busy),
            "waiting": len(self._queue),
            "workers": len(self._fleet),
        }

    @property
    def full(self) -> bool:
        """Whether all cores have work; approximate."""
        return len(self._fleet.busy) >= self._ledger.cores

    def _do(self, command: Callable[[], None]) -> None:
        with self._lock:
            if self._closing or self._ended:
                raise ServerError("engine_closed", "The engine is shutting down.")
            self._commands.append(command)
            self._wake()

    def _wake(self) -> None:
        """With the lock held: after the end the descriptor may be somebody else's."""
        if self._ended:
            return
        with suppress(BlockingIOError):  # it is awake already
            os.write(self._wake_write, b"x")

    # -- the loop -----------------------------------------------------------------------------

    def _loop(self) -> None:
        selector = selectors.DefaultSelector()
        try:
            selector.register(self._wake_read, selectors.EVENT_READ)
            selector.register(self._fleet.pool, selectors.EVENT_READ)
            for _ in range(self._ledger.cores):
                guarded(self._fleet.fork)
            while not self._closing:
                guarded(self._dispatch)
                guarded(self._tell)
                pending = self._fleet.busy or self._fleet.starting or len(self._queue)
                selector.select(_TICK if pending or self._queue.deadlines else None)
                self._drain()
                guarded(self._poll)
                guarded(self._enforce)
        finally:
            selector.close()
            self._end()

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._wake_read, 4096):
                pass
        # Not those that come meanwhile: workers must be looked after in between.
        for _ in range(len(self._commands)):
            guarded(self._commands.popleft())

    def _tell(self) -> None:
        was, self._was_full = self._was_full, self.full
        if was and not self._was_full and self.on_free is not None:
            self.on_free()

    def _poll(self) -> None:
        for running, event, pid in self._fleet.events():
            guarded(partial(self._handle, running, event, pid))
        if self._fleet.failing:
            self._give_up(Exit("fork").error())

    def _end(self) -> None:
        with self._lock:
            self._closing = self._ended = True  # from here on nothing more is accepted
        self._drain()
        error = ExecutionError("cancelled", "The server was shut down before this was finished.")
        for job in self._queue.jobs():
            guarded(partial(job.stop, error, "interrupted"))
        for running in [*self._queue.calls, *(r for _, r in self._fleet.busy.values())]:
            running.fail_call(error)
        guarded(self._end_processes)
        os.close(self._wake_read)
        os.close(self._wake_write)
        self._closed.set()

    def _end_processes(self) -> None:
        for pid in self._fleet.close():
            self._store.discard_temporaries(pid)

    # -- jobs ---------------------------------------------------------------------------------

    def _submit(self, job: JobRun) -> None:
        if job.finished.is_set():  # cancelled before it was here
            return
        try:
            self._queue.add_job(job)
            job.begin()
        except Exception as error:
            _LOG.exception("a job could not be started")
            job.stop(unforeseen(error), "failed")
        self._after(job)

    def _cancel(self, job: JobRun, error: StratumError, state: JobState) -> None:
        job.stop(error, state)
        self._after(job)

    def _after(self, job: JobRun) -> None:
        """Lets go of what only finished pipelines wanted."""
        if job.finished.is_set():
            self._queue.remove_job(job)
        for _, running in list(self._fleet.busy.values()):
            if not running.dying and not running.wanted():
                running.abandoned = True
                self._fleet.kill(running)

    def _cancel_call(self, future: "Future[dict[str, Any]]") -> None:
        error = ExecutionError("cancelled", "The call was cancelled.")
        for running in [r for _, r in self._fleet.busy.values() if r.future is future]:
            self._kill(running, error)
        self._queue.drop_call(future, error)

    # -- what became of work ------------------------------------------------------------------

    def _handle(self, running: Running, event: Message | Exit, pid: int) -> None:
        if running.lease is not None:
            self._ledger.release(running.lease)
            running.lease = None
        seconds = time.monotonic() - running.started
        self._queue.spent(running, seconds)
        if isinstance(event, Exit):
            self._store.discard_temporaries(pid)
            self._exited(running, event)
        elif event.error is None:
            self._finish(running, event.value, seconds)
        else:
            self._fail(running, event.error)

    def _exited(self, running: Running, exit_: Exit) -> None:
        if running.kill_error is not None:
            self._fail(running, running.kill_error)
        elif running.abandoned:
            self._queue.forget(running)
        elif running.attempts < 2:
            # A crash may be bad luck (memory taken by a neighbour): once more, not twice.
            self._queue.again(running)
        else:
            self._fail(running, exit_.error())

    def _give_up(self, error: StratumError) -> None:
        """Workers cannot be had: unless some are left, nothing that waits can ever run."""
        self._fleet.forgive()
        if len(self._fleet):
            return
        for call in self._queue.calls:
            self._queue.calls.remove(call)
            call.fail_call(error)
        for job in self._queue.jobs():
            self._cancel(job, error, "failed")

    def _finish(self, running: Running, value: Any, seconds: float) -> None:
        if self.observer is not None:
            self.observer(running, value, seconds)
        if running.task is None:
            if running.future is not None and not running.future.done():
                running.future.set_result(value)
            return
        try:
            result = TaskResult.of(running.task, value)
        except StratumError as error:
            self._fail(running, error)
            return
        if result.unreadable:
            for name in result.unreadable if running.wanted() else ():  # else made anew, perhaps
                self._store.remove(name)
            self._fail(running, unreadable_blocks(result.unreadable))
            return
        if self.on_timings is not None:
            self.on_timings(running.task, value.get("timings"))
        for job in self._queue.done(running, result, seconds):
            self._after(job)

    def _fail(self, running: Running, error: StratumError) -> None:
        if running.task is None:
            running.fail_call(error)
            return
        for job in self._queue.failed(running, error):
            self._after(job)

    # -- limits -------------------------------------------------------------------------------

    def _enforce(self) -> None:
        now = time.monotonic()
        if now - self._checked < _TICK / 2:
            return
        self._checked = now
        for job in self._queue.jobs():
            if job.deadline is not None and now >= job.deadline:
                self._cancel(job, skipped(job.limits.seconds or 0.0), "timeout")
        sizes: list[tuple[int, Running]] = []
        for worker, running in list(self._fleet.busy.values()):
            used = max(worker.rss() - worker.base, 0)
            sizes.append((used, running))
            if running.lease is not None:
                self._ledger.measure(running.lease, used)
            self._enforce_on(running, now - running.started, used)
        # Calls have no lease, and count as well.
        if sum(used for used, _ in sizes) > self._ledger.memory:
            used, largest = max(sizes, key=lambda entry: entry[0])
            self._kill(largest, over_memory(used, self._ledger.memory))

    def _enforce_on(self, running: Running, seconds: float, used: int) -> None:
        """Jobs may have limits of their own on a task that they share."""
        for job, task in list(running.subscribers):
            if job.enforce(task, seconds, used):
                self._after(job)
        if running.task is None and seconds > running.seconds_allowed:
            self._kill(running, over_time(running.seconds_allowed, "Ask for less at once."))

    def _kill(self, running: Running, error: StratumError) -> None:
        if not running.dying:
            running.kill_error = error
            self._fleet.kill(running)

    # -- dispatch -----------------------------------------------------------------------------

    def _dispatch(self) -> None:
        try:
            while (call := self._queue.calls.next(self._calling(), self._ledger.cores)) is not None:
                if not self._fleet.ready():
                    return
                self._queue.calls.remove(call)
                self._run(call)
            while (running := self._queue.next_task()) is not None:
                fits = self._ledger.fits(running.threads, running.bytes)
                if not fits or not self._fleet.ready():
                    return
                self._run(running)
        except ServerError as error:
            self._give_up(error)

    def _calling(self) -> Counter[str]:
        """The calls that run, by session."""
        running = (running for _, running in self._fleet.busy.values())
        return Counter(one.session for one in running if one.task is None)

    def _run(self, running: Running) -> None:
        try:
            self._fleet.run(running, self._arguments(running))
        except Exception as error:
            # A request that cannot be sent must not end the thread that serves all the others.
            if not isinstance(error, StratumError):
                _LOG.exception("a task could not be sent")
            self._fail(running, unforeseen(error))
            return
        if running.task is not None:
            running.lease = self._ledger.take(running.threads, running.bytes)
            self._queue.begun(running)

    def _arguments(self, running: Running) -> Mapping[str, Any]:
        if running.task is None:
            return running.arguments
        return {
            "task": self._queue.task_of(running, self._ledger.free_cores),
            "blocks": str(self._blocks),
            "datasets": scanned_files(running.task, self._dataset),
            "memory": f"{max(int(self._ledger.memory * _DATA_SHARE / 1e6), 1)}MB",
        }
