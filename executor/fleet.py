"""The workers of one scheduler: which are idle, busy, or on their way.

Input: a pool, and what to run. Output: started work, and what became of it. Used on the
scheduler's thread.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from executor.messages import Message
from executor.running import Running
from executor.workers import Event, Exit, Worker, WorkerPool

_MAX_LOST = 3


class Fleet:
    """Workers by what they do; see the module.

    `busy` maps worker ids to what they run.
    """

    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool
        self.busy: dict[int, tuple[Worker, Running]] = {}
        self._idle: list[Worker] = []
        self._spare: set[int] = set()  # forked and not yet ready
        self._pids: dict[int, int] = {}  # workers forget theirs when they end
        self._lost = 0  # workers in a row that ended before they were ready

    def __len__(self) -> int:
        return len(self.busy) + len(self._idle) + len(self._spare)

    @property
    def starting(self) -> bool:
        return bool(self._spare)

    @property
    def failing(self) -> bool:
        """Whether new workers end as soon as they start."""
        return self._lost >= _MAX_LOST

    def fork(self) -> None:
        """Starts a worker; ServerError `workers_unavailable`."""
        self._spare.add(self.pool.fork().id)

    def ready(self) -> bool:
        """Whether a worker is idle; if none is, one is on its way."""
        # One that has closed its connection is ending; its Exit is on the way.
        self._idle = [worker for worker in self._idle if not worker.closed]
        self._replace_early()
        if not self._idle and not self._spare:
            self.fork()
        return bool(self._idle)

    def _replace_early(self) -> None:
        """Workers forked before all libraries were loaded make room for complete ones."""
        if self.pool.preloaded is None:
            return
        for worker in [idle for idle in self._idle if not idle.complete]:
            self._idle.remove(worker)
            worker.close()
            self.fork()

    def run(self, running: Running, arguments: Mapping[str, Any]) -> None:
        """Hands work to an idle worker; raises whatever sending raises, and then it is idle."""
        worker = self._idle[-1]
        worker.send(running.function, arguments)
        self._idle.pop()
        running.begin()
        self.busy[worker.id] = (worker, running)

    def events(self) -> Iterator[tuple[Running, Message | Exit, int]]:
        """What became of work: its answer, or the end of its worker, of which the process id
        is given."""
        for worker, event in self.pool.poll():
            running, pid = self._take(worker, event), self._pids.get(worker.id, 0)
            if isinstance(event, Exit):
                self._forget(worker)
            if running is not None:
                yield running, event, pid

    def _take(self, worker: Worker, event: Event) -> Running | None:
        if isinstance(event, Message):
            if event.kind == "ready":
                self._lost = 0
                self._spare.discard(worker.id)
                self._pids[worker.id] = worker.pid or 0
                self._idle.append(worker)
            if event.kind not in ("done", "failed"):
                return None
        entry = self.busy.pop(worker.id, None)
        if entry is None:
            return None
        if not worker.closed:
            self._idle.append(worker)
        return entry[1]

    def _forget(self, worker: Worker) -> None:
        if worker.id in self._spare:
            self._spare.discard(worker.id)
            self._lost += 1
        self._pids.pop(worker.id, None)
        self._idle = [idle for idle in self._idle if idle.id != worker.id]

    def kill(self, running: Running) -> None:
        """Ends the worker of something that runs."""
        for worker, other in self.busy.values():
            if other is running:
                worker.kill()

    def forgive(self) -> None:
        """New workers may be tried again."""
        self._lost = 0

    def close(self) -> list[int]:
        """Ends all processes; the ids of those that were at work."""
        pids = [self._pids[number] for number in self.busy if number in self._pids]
        self.pool.close()
        return pids
