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
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from executor.budget import Ledger
from executor.jobs import JobRun
from executor.queue import Queue, Running
from executor.store import Store
from executor.workers import Event, Exit, Worker, WorkerPool
from planner.errors import ExecutionError, ServerError, StratumError
from planner.plan import Task

_LOG = logging.getLogger(__name__)
_TICK = 0.2  # seconds between looks at deadlines and memory while something runs
# Calls that a person waits for get workers beyond the cores, so that fits do not hold them up.
_EXTRA_CALLS = 2


class Scheduler:
    """Owns the worker pool; see the module."""

    def __init__(
        self,
        pool: WorkerPool,
        ledger: Ledger,
        store: Store,
        datasets: Callable[[], Mapping[str, str]],
        blocks: Path,
    ) -> None:
        self._pool = pool
        self._ledger = ledger
        self._store = store
        self._datasets = datasets
        self._blocks = blocks
        self._queue = Queue(store)
        self._idle: list[Worker] = []
        self._busy: dict[int, tuple[Worker, Running]] = {}
        self._spare: set[int] = set()  # workers forked and not yet ready
        self._commands: deque[Callable[[], None]] = deque()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._closing = False
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
        self, function: str, arguments: Mapping[str, Any], seconds: float = 600.0
    ) -> "Future[dict[str, Any]]":
        """Runs one function of the work table; the future raises `StratumError` on failure."""
        future: Future[dict[str, Any]] = Future()
        future.set_running_or_notify_cancel()
        running = Running.call(function, arguments, seconds, future)
        self._do(lambda: self._queue.add_call(running))
        return future

    def cancel(self, job: JobRun, error: StratumError) -> None:
        """Ends a job now: its pipelines get `error`, its running tasks are killed unless another
        job needs them."""
        self._do(lambda: self._cancel(job, error))

    def cancel_call(self, future: "Future[dict[str, Any]]") -> None:
        """Kills the worker of a call that nobody waits for any more."""
        self._do(lambda: self._cancel_call(future))

    def close(self, timeout: float = 10.0) -> None:
        """Ends all jobs (cancelled) and all processes; idempotent."""
        if not self._closing:
            self._closing = True
            self._wake()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._closed.wait(timeout)

    @property
    def load(self) -> dict[str, int]:
        """Tasks running and waiting, workers alive; approximate."""
        return {
            "running": len(self._busy),
            "waiting": len(self._queue),
            "workers": len(self._busy) + len(self._idle) + len(self._spare),
        }

    def _do(self, command: Callable[[], None]) -> None:
        if self._closing:
            raise ServerError("engine_closed", "The engine is shutting down.")
        self._commands.append(command)
        self._wake()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"x")
        except (BlockingIOError, OSError):
            pass  # it is awake already

    # -- the loop -----------------------------------------------------------------------------

    def _loop(self) -> None:
        selector = selectors.DefaultSelector()
        try:
            self._pool.start()
            selector.register(self._wake_read, selectors.EVENT_READ)
            selector.register(self._pool, selectors.EVENT_READ)
            for _ in range(self._ledger.cores):
                self._fork()
            while not self._closing:
                busy = bool(self._busy or self._queue.deadlines)
                selector.select(_TICK if busy else None)
                self._drain()
                for worker, event in self._pool.poll():
                    self._handle(worker, event)
                self._enforce()
                self._dispatch()
        finally:
            self._closing = True
            selector.close()
            self._end()
            self._closed.set()

    def _drain(self) -> None:
        try:
            while os.read(self._wake_read, 4096):
                pass
        except BlockingIOError:
            pass
        while self._commands:
            self._commands.popleft()()

    def _end(self) -> None:
        error = ExecutionError("cancelled", "The server was shut down before this was finished.")
        self._pool.close()
        for job in self._queue.jobs():
            job.stop(error)
        for _, running in self._busy.values():
            running.fail_call(error)
        for running in self._queue.calls:
            running.fail_call(error)
        os.close(self._wake_read)

    # -- jobs ---------------------------------------------------------------------------------

    def _submit(self, job: JobRun) -> None:
        self._queue.add_job(job)
        job.begin()
        if job.finished.is_set():
            self._queue.remove_job(job)

    def _cancel(self, job: JobRun, error: StratumError) -> None:
        job.stop(error)
        self._after(job)

    def _after(self, job: JobRun) -> None:
        """Lets go of what only finished pipelines wanted."""
        if job.finished.is_set():
            self._queue.remove_job(job)
        for worker, running in list(self._busy.values()):
            if running.task is not None and not running.wanted():
                running.abandoned = True
                worker.kill()

    def _cancel_call(self, future: "Future[dict[str, Any]]") -> None:
        for worker, running in list(self._busy.values()):
            if running.future is future:
                running.abandoned = True
                worker.kill()
        self._queue.drop_call(future)

    # -- workers ------------------------------------------------------------------------------

    def _fork(self) -> None:
        worker = self._pool.fork()
        self._spare.add(worker.id)

    def _handle(self, worker: Worker, event: Event) -> None:
        if isinstance(event, Exit):
            self._ended(worker, event)
        elif event.kind == "ready":
            if worker.id in self._spare:
                self._spare.discard(worker.id)
                self._idle.append(worker)
        elif event.kind in ("done", "failed") and worker.id in self._busy:
            _, running = self._busy.pop(worker.id)
            self._release(running)
            self._idle.append(worker)
            seconds = time.monotonic() - running.started
            if event.kind == "done":
                self._finish(running, event.value, seconds)
            else:
                assert event.error is not None
                self._fail(running, event.error)

    def _ended(self, worker: Worker, exit_: Exit) -> None:
        self._spare.discard(worker.id)
        self._idle = [idle for idle in self._idle if idle.id != worker.id]
        entry = self._busy.pop(worker.id, None)
        if entry is None:
            return
        running = entry[1]
        self._release(running)
        if running.abandoned and running.task is not None and running.wanted():
            # Another job came to need it while its worker was being killed.
            running.abandoned = False
            self._queue.again(running)
        elif running.abandoned:
            running.fail_call(ExecutionError("cancelled", "The call was cancelled."))
            self._queue.forget(running)
        elif running.kill_error is not None:
            self._fail(running, running.kill_error)
        elif running.task is not None and running.attempts < 2:
            # A crash may be bad luck (memory taken by a neighbour): once more, not twice.
            self._queue.again(running)
        else:
            self._fail(running, exit_.error())

    def _finish(self, running: Running, value: Any, seconds: float) -> None:
        if running.future is not None:
            running.future.set_result(value)
            return
        assert running.task is not None
        for job in self._queue.done(running, value, seconds):
            self._after(job)

    def _fail(self, running: Running, error: StratumError) -> None:
        if running.future is not None:
            running.fail_call(error)
            return
        for job in self._queue.failed(running, error):
            self._after(job)

    def _release(self, running: Running) -> None:
        if running.lease is not None:
            self._ledger.release(running.lease)
            running.lease = None

    # -- limits -------------------------------------------------------------------------------

    def _enforce(self) -> None:
        now = time.monotonic()
        if now - self._checked < _TICK / 2:
            return
        self._checked = now
        for job in self._queue.jobs():
            if job.deadline is not None and now >= job.deadline:
                seconds = job.limits.seconds
                self._cancel(
                    job,
                    ExecutionError(
                        "skipped",
                        f"The budget of {seconds:g} s for the whole job was used up first.",
                        hint="Raise budget.seconds, or send fewer or cheaper pipelines.",
                    ),
                )
        for worker, running in self._busy.values():
            error = self._over_limit(worker, running, now)
            if error is not None and running.kill_error is None:
                running.kill_error = error
                worker.kill()

    def _over_limit(self, worker: Worker, running: Running, now: float) -> StratumError | None:
        limit = running.seconds_left()
        if limit is not None and now - running.started > limit:
            return ExecutionError(
                "timeout",
                f"It ran longer than its limit of {running.seconds_allowed:g} s.",
                hint="Raise budget.pipeline_seconds, or use fewer rows, rounds or features.",
            )
        used = worker.rss() - worker.base
        allowed = running.worker_bytes or self._ledger.memory
        if used > allowed:
            return ExecutionError(
                "out_of_memory",
                f"It used {used / 1e9:.1f} GB; the limit of one worker is {allowed / 1e9:.1f} GB.",
                hint="Use fewer rows or features, sparse output, or a smaller model; or raise "
                "budget.memory.",
            )
        return None

    # -- dispatch -----------------------------------------------------------------------------

    def _dispatch(self) -> None:
        if self._pool.preloaded is not None:
            self._replace_early()
        while self._queue.calls and self._calls_running() < self._ledger.cores + _EXTRA_CALLS:
            if not self._run(self._queue.calls[0], extra=True):
                break
            self._queue.calls.popleft()
        while True:
            task = self._queue.next_task()
            if task is None:
                return
            if not self._run(task, extra=False):
                self._queue.put_back(task)
                return

    def _calls_running(self) -> int:
        return sum(1 for _, running in self._busy.values() if running.future is not None)

    def _replace_early(self) -> None:
        """Workers forked before all libraries were loaded make room for complete ones."""
        for worker in [idle for idle in self._idle if not idle.complete]:
            self._idle.remove(worker)
            worker.close()
            self._fork()

    def _run(self, running: Running, *, extra: bool) -> bool:
        """Starts `running` if the budget has room and a worker is there."""
        if not extra and not self._ledger.fits(running.threads, running.bytes):
            return False
        if not self._idle:
            alive = len(self._busy) + len(self._spare)
            wanted = self._ledger.cores + (_EXTRA_CALLS if extra else 0)
            if len(self._spare) == 0 and alive < wanted + _EXTRA_CALLS:
                self._fork()
            return False
        worker = self._idle.pop()
        if not extra:
            running.lease = self._ledger.take(running.threads, running.bytes)
        running.begin()
        self._busy[worker.id] = (worker, running)
        try:
            worker.send(running.function, self._arguments(running))
        except Exception as error:
            # A request that cannot be sent must not end the thread that serves all the others.
            _LOG.exception("a task could not be sent")
            del self._busy[worker.id]
            self._idle.append(worker)
            self._release(running)
            self._fail(running, _unsendable(error))
        return True

    def _arguments(self, running: Running) -> Mapping[str, Any]:
        if running.task is None:
            return running.arguments
        return {
            "task": running.task,
            "blocks": str(self._blocks),
            "datasets": _needed(running.task, self._datasets()),
        }


def _unsendable(error: Exception) -> StratumError:
    if isinstance(error, StratumError):
        return error
    return ExecutionError(
        "internal_error",
        f"The work could not be handed to a worker: {type(error).__name__}.",
        hint="Send it again; report it if it happens again.",
    )


def _needed(task: Task, datasets: Mapping[str, str]) -> dict[str, str]:
    """The dataset files that the queries of `task` scan."""
    wanted: set[str] = set()
    for instruction in task.instructions:
        query = getattr(instruction.op, "query", None)
        if query is not None:
            wanted.update(fingerprint for _, fingerprint in query.scans)
    missing = wanted - datasets.keys()
    if missing:
        raise ExecutionError(
            "dataset_gone",
            "A dataset was removed while pipelines on it were waiting.",
            hint="Register it again with add_dataset.",
        )
    return {fingerprint: datasets[fingerprint] for fingerprint in wanted}
