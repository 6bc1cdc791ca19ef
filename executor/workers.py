"""The engine's side of the worker processes: requests in, messages and exits out.

Used from one thread, the scheduler's; nothing here waits for a worker. Linux only.

    pool = WorkerPool(home / "logs")
    pool.start()                              # returns at once; libraries load meanwhile
    worker = pool.fork()                      # returns at once
    worker.send("run_task", {"task": task})   # may be called before it is ready
    selector.register(pool, EVENT_READ)       # one descriptor for the pool and all its workers
    ...
    for worker, event in pool.poll():         # when the selector says so
        if isinstance(event, Exit):
            ...                               # event.error(); `worker` is gone, fork another
        elif event.kind == "done":
            ...                               # event.value; `worker` takes the next request
        elif event.kind == "failed":
            ...                               # event.error; `worker` takes the next request
    worker.kill()                             # then comes its Exit (reason "killed"), only
    pool.close()
"""

import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from executor import procfs
from executor.handle import Worker
from executor.launch import ESSENTIAL, PRELOAD, environment, launch
from executor.messages import Exit, Message, ProtocolError
from planner.errors import ServerError

__all__ = ["Event", "Exit", "Message", "Preloaded", "Worker", "WorkerPool"]

Event = Message | Exit

_PACKET = 64 * 2**10
_GRACE = 3.0  # seconds for the zygote to end everything, before it is killed itself
_SWEEP = 2.0  # seconds
_LOG_SECONDS = 7 * 86_400
_MAX_EARLY_ENDS = 3


@dataclass(frozen=True)
class Preloaded:
    """What the zygote reported when all imports were done.

    `threads` must be 1, or forked workers may hang; `missing` names modules that are not
    installed or cannot be imported.
    """

    seconds: float
    threads: int
    missing: tuple[str, ...]


@dataclass
class _Zygote:
    process: subprocess.Popen[bytes]
    control: socket.socket
    marker: str
    scratch: Path
    preload: bool


class WorkerPool:
    """Worker processes, and the process they are forked from.

    `table` is the module whose ``TABLE`` names the functions that workers run; `extra` is added
    to the environment of the workers, which otherwise get a small part of the engine's own. The
    imports of `essential` precede the first fork, those of `preload` do not.
    """

    def __init__(
        self,
        log_dir: Path,
        extra: Mapping[str, str] | None = None,
        *,
        table: str = "executor.work",
        essential: Sequence[str] = ESSENTIAL,
        preload: Sequence[str] = PRELOAD,
    ) -> None:
        self.preloaded: Preloaded | None = None
        self._log_dir = log_dir
        self._extra = dict(extra or {})
        self._table = table
        self._essential = essential
        self._preload = preload
        self._epoll = select.epoll()
        self._zygote: _Zygote | None = None
        self._log = log_dir / f"zygote-{os.getpid()}.log"
        self._early_ends = 0
        self._commands: deque[tuple[bytes, socket.socket | None]] = deque()
        self._workers: dict[int, Worker] = {}
        self._watched: dict[int, tuple[Worker, int]] = {}  # by descriptor, with the event mask
        self._next = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def workers(self) -> tuple[Worker, ...]:
        """The workers whose Exit has not been given, oldest first."""
        return tuple(self._workers.values())

    def fileno(self) -> int:
        """A descriptor that is readable when `poll` has something to do; always the same."""
        return self._epoll.fileno()

    def start(self) -> None:
        """Start the zygote unless it runs.

        Raises `unsupported_platform` except on Linux, and `workers_unavailable` if it cannot be
        started or has ended three times while it was importing.
        """
        if self._zygote is not None:
            return
        if sys.platform != "linux":
            raise ServerError(
                "unsupported_platform",
                f"Worker processes need Linux; this is {sys.platform}.",
                hint="Run the server on Linux, in a container or in a virtual machine.",
            )
        if self._early_ends >= _MAX_EARLY_ENDS:
            raise self._unavailable("it has ended several times while it was importing libraries")
        token = secrets.token_hex(16)
        try:
            self._log_dir.mkdir(parents=True, exist_ok=True)
            _forget_old_logs(self._log_dir)
            scratch = Path(tempfile.mkdtemp(prefix=f"stratum-{os.getpid()}-"))
            marker = f"STRATUM_POOL={token}"
            # A library that crashes when it is imported must not make every start fail.
            preload = self._preload if self._early_ends == 0 else ()
            process, control = launch(
                essential=self._essential,
                preload=preload,
                table=self._table,
                scratch=scratch,
                log=self._log,
                env=environment(self._extra, marker, scratch),
            )
        except OSError as error:
            raise self._unavailable(str(error)) from error
        self.preloaded = None
        self._zygote = _Zygote(process, control, marker, scratch, bool(preload))
        self._epoll.register(control, select.EPOLLIN)

    def fork(self) -> Worker:
        """A new worker, which may be sent requests at once; starts the zygote if it has ended.

        Raises `workers_unavailable` as `start` does. That the fork itself fails comes as an
        Exit, with reason ``fork``.
        """
        self.start()
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise self._unavailable(str(error)) from error
        number = self._next
        self._next += 1
        log = self._log_dir / f"worker-{os.getpid()}-{number}.log"
        worker = Worker(number, log, ours, self._watch, self._kill)
        self._workers[number] = worker
        self._watch(worker)
        self._command({"fork": number, "log": str(log.absolute())}, theirs)
        return worker

    def poll(self, timeout: float | None = 0.0) -> list[tuple[Worker, Event]]:
        """What has happened, in order for each worker; waits up to `timeout` seconds for it.

        May return nothing early. After a worker's Exit nothing follows from it.
        """
        events: list[tuple[Worker, Event]] = []
        control = self._zygote.control if self._zygote is not None else None
        reports = False
        for descriptor, mask in self._epoll.poll(timeout):
            if control is not None and descriptor == control.fileno():
                reports = True
            elif descriptor in self._watched:
                worker, _ = self._watched[descriptor]
                if mask & select.EPOLLOUT:
                    worker.flush()
                if mask & ~select.EPOLLOUT:
                    events.extend(self._read(worker))
        if reports:
            self._flush_commands()
            # Last: what a worker has sent is older than the report that it has ended.
            events.extend(self._read_reports())
        return events

    def close(self) -> None:
        """End all workers and the zygote, and wait for that; no Exit is given. Idempotent."""
        if self._epoll.closed:
            return
        for worker in self._workers.values():
            worker.close()
        if self._zygote is not None:
            # While it imports it may not notice for a while, and there is nothing to end.
            graceful = self.preloaded is not None or bool(self._workers)
            self._end_zygote(self._zygote, _GRACE if graceful else 0.0)
        self._workers.clear()
        self._epoll.close()
        with contextlib.suppress(OSError):
            if self._log.stat().st_size == 0:
                self._log.unlink()

    def _watch(self, worker: Worker) -> None:
        """Bring the event mask of a worker's connection up to date."""
        descriptor = worker.fileno()
        _, old = self._watched.get(descriptor, (worker, 0))
        new = 0 if worker.closed else select.EPOLLIN
        if worker.wants_write:
            new |= select.EPOLLOUT
        if new == old:
            return
        if not new:
            del self._watched[descriptor]
            self._epoll.unregister(descriptor)
            return
        self._watched[descriptor] = (worker, new)
        if old:
            self._epoll.modify(descriptor, new)
        else:
            self._epoll.register(descriptor, new)

    def _read(self, worker: Worker) -> list[tuple[Worker, Event]]:
        try:
            messages = worker.receive()
        except ProtocolError:
            worker.kill("protocol")
            return []
        if worker.closed:
            # Whoever closes its connection must not live on; most often it has ended already.
            self._kill(worker)
        return [(worker, message) for message in messages]

    def _kill(self, worker: Worker) -> None:
        if worker.id in self._workers and self._zygote is not None:
            # By number and not by process id, which may belong to another process by now.
            self._command({"kill": worker.id})

    def _command(self, command: dict[str, Any], attached: socket.socket | None = None) -> None:
        self._commands.append((json.dumps(command).encode(), attached))
        self._flush_commands()

    def _flush_commands(self) -> None:
        if self._zygote is None:
            return
        control = self._zygote.control
        try:
            while self._commands:
                packet, attached = self._commands[0]
                socket.send_fds(control, [packet], [] if attached is None else [attached.fileno()])
                self._commands.popleft()
                if attached is not None:
                    attached.close()
        except BlockingIOError:
            pass
        except OSError:
            self._drop_commands()  # it has ended; reading will tell
        write = select.EPOLLOUT if self._commands else 0
        self._epoll.modify(control, select.EPOLLIN | write)

    def _drop_commands(self) -> None:
        for _, attached in self._commands:
            if attached is not None:
                attached.close()
        self._commands.clear()

    def _read_reports(self) -> list[tuple[Worker, Event]]:
        zygote = self._zygote
        events: list[tuple[Worker, Event]] = []
        while zygote is not None:
            try:
                packet = zygote.control.recv(_PACKET)
            except BlockingIOError:
                break
            except OSError:
                packet = b""
            if not packet:
                return events + self._lose_zygote(zygote)
            events.extend(self._note(zygote, json.loads(packet)))
        return events

    def _note(self, zygote: _Zygote, report: dict[str, Any]) -> list[tuple[Worker, Event]]:
        match report:
            case {"ready": seconds, "threads": threads, "missing": missing}:
                self.preloaded = Preloaded(seconds, threads, tuple(missing))
                if zygote.preload:
                    self._early_ends = 0
            case {"refused": number}:
                return self._ended(self._workers[number], Exit("fork"))
            case {"exited": number, "code": code, "signal": ended_by}:
                worker = self._workers[number]
                events = [] if worker.closed else self._read(worker)
                return events + self._ended(worker, Exit(worker.reason, code, ended_by))
        return []

    def _ended(self, worker: Worker, exit_: Exit) -> list[tuple[Worker, Event]]:
        del self._workers[worker.id]
        worker.close()
        worker.pid = None
        return [(worker, exit_)]

    def _lose_zygote(self, zygote: _Zygote) -> list[tuple[Worker, Event]]:
        """The zygote has ended by itself, and its workers with it."""
        if self.preloaded is None:
            self._early_ends += 1
        self._end_zygote(zygote, 0.0)
        events: list[tuple[Worker, Event]] = []
        for worker in self.workers:
            if not worker.closed:
                events.extend(self._read(worker))
            reason = "zygote" if worker.reason == "ended" else worker.reason
            events.extend(self._ended(worker, Exit(reason)))
        return events

    def _end_zygote(self, zygote: _Zygote, grace: float) -> None:
        self._zygote = None
        self._drop_commands()
        self._epoll.unregister(zygote.control)
        zygote.control.close()  # makes it end its workers and then itself
        with contextlib.suppress(subprocess.TimeoutExpired):
            zygote.process.wait(grace)
        # It and its workers are gone by now, except in emergencies. Whatever a worker had
        # started is found by the environment that it was given.
        deadline = time.monotonic() + _SWEEP
        while time.monotonic() < deadline and (left := procfs.started_with(zygote.marker)):
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.002)
        zygote.process.wait()
        shutil.rmtree(zygote.scratch, ignore_errors=True)

    def _unavailable(self, why: str) -> ServerError:
        return ServerError(
            "workers_unavailable",
            f"Worker processes cannot be started: {why}.",
            hint=f"See {self._log}.",
        )


def _forget_old_logs(directory: Path) -> None:
    oldest = time.time() - _LOG_SECONDS
    for pattern in ("worker-*.log", "zygote-*.log"):
        for log in directory.glob(pattern):
            with contextlib.suppress(OSError):
                if log.stat().st_mtime < oldest:
                    log.unlink()
