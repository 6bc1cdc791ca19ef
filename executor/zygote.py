"""The process that forks workers: commands of the engine in, worker processes and reports out.

It imports the libraries once and never runs any of their code, so that it stays single-threaded:
a process forked while OpenMP, OpenBLAS, Arrow or DuckDB have threads may hang. Workers start in
milliseconds and share the memory of the libraries.

Commands and reports are JSON, one per packet. Commands: ``{"fork": id, "log": path}`` with the
worker's end of its connection attached, and ``{"kill": id}``. Reports: ``{"exited": id, "code",
"signal"}``, ``{"refused": id}`` (the fork failed) and, once, ``{"ready": seconds, "threads",
"missing"}``. That a worker has started is told by itself, on its own connection.

When the engine ends, in whatever way, the connection is closed by the system; then every worker
and everything that workers have started is killed, and this process ends too.
"""

import contextlib
import faulthandler
import gc
import importlib
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from executor import limits, procfs
from executor.worker import serve

LOG_LIMIT = 8 * 2**20
_PACKET = 64 * 2**10
_CHECK = 1.0  # seconds
_FAREWELL = 5.0  # seconds


class Shutdown(Exception):
    """The engine has ended, or this process was asked to."""


@dataclass(frozen=True)
class Child:
    """A living worker process, as the zygote knows it."""

    id: int
    log: Path
    scratch: Path


class Zygote:
    """The main loop. `scratch` is a directory of its own, removed at the end."""

    def __init__(self, control: socket.socket, table: str, scratch: Path) -> None:
        self._control = control
        self._table = table
        self._scratch = scratch
        self._children: dict[int, Child] = {}  # by process id
        self._complete = False
        self._checked = 0.0
        self._control.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._signalled = socket.socketpair()
        self._wakeup.setblocking(False)
        self._signalled.setblocking(False)

    def run(self, essential: list[str], preload: list[str]) -> NoReturn:
        """Import, then serve, until `Shutdown`. The first fork waits for `essential` only."""
        limits.name_process("stratum-zygote")
        limits.adopt_orphans()
        self._listen()
        gc.disable()  # imports make many objects and little garbage; workers enable it again
        code = 0
        try:
            began = time.monotonic()
            missing = [name for name in essential if not load(name)]
            for name in preload:
                self._serve(0)
                if not load(name):
                    missing.append(name)
            gc.collect()
            self._complete = True
            threads = procfs.thread_count(os.getpid())
            seconds = time.monotonic() - began
            self._report({"ready": seconds, "threads": threads, "missing": missing})
            while True:
                # Without workers there is nothing to look after: wait for events alone.
                self._serve(_CHECK if self._children else None)
        except (Shutdown, BrokenPipeError, ConnectionResetError):
            pass
        except BaseException:
            traceback.print_exc()
            code = 1
        self._end_everything()
        # No interpreter shutdown: the libraries hold nothing that must be written.
        os._exit(code)

    def _listen(self) -> None:
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _ignore)  # the number still reaches the wakeup descriptor
            signal.siginterrupt(number, False)  # libraries are not ready for EINTR
        signal.set_wakeup_fd(self._signalled.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        self._selector.register(self._control, selectors.EVENT_READ)

    def _serve(self, timeout: float | None) -> None:
        ready = {key.fileobj for key, _ in self._selector.select(timeout)}
        if self._wakeup in ready:
            numbers = _drain(self._wakeup)
            self._reap()
            if signal.SIGTERM in numbers or signal.SIGINT in numbers:
                raise Shutdown
        if self._control in ready:
            self._obey()
        if time.monotonic() - self._checked >= _CHECK:
            self._checked = time.monotonic()
            self._bound_logs()
            self._kill_strays()  # nothing tells that a process was handed to this one

    def _obey(self) -> None:
        while True:
            try:
                packet, descriptors, _, _ = socket.recv_fds(self._control, _PACKET, 1)
            except BlockingIOError:
                return
            for descriptor in descriptors:
                os.set_inheritable(descriptor, False)  # recv_fds ignores a flag that says so
            if not packet:
                raise Shutdown
            command = json.loads(packet)
            if "fork" in command and not descriptors:
                self._report({"refused": command["fork"]})  # out of file descriptors
            elif "fork" in command:
                self._fork(command["fork"], Path(command["log"]), descriptors[0])
            elif "kill" in command:
                for pid, child in self._children.items():
                    if child.id == command["kill"]:
                        _kill_group(pid)

    def _fork(self, worker: int, log: Path, descriptor: int) -> None:
        child = Child(worker, log, self._scratch / str(worker))
        parent = os.getpid()
        # Without this the collector of every worker would copy the pages of all libraries.
        gc.freeze()
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal meant for the child must not be noted by the handlers of this process.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                self._become_worker(child, parent, descriptor)
        except OSError:
            traceback.print_exc()
            self._report({"refused": worker})
            return
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            os.close(descriptor)
        self._children[pid] = child

    def _become_worker(self, child: Child, parent: int, descriptor: int) -> NoReturn:
        """The life of a worker; `descriptor` is its end of the connection to the engine."""
        code = 1
        try:
            gc.enable()
            limits.reset_signals()
            limits.isolate(parent)
            limits.name_process("stratum-worker")
            for inherited in (self._selector, self._control, self._wakeup, self._signalled):
                inherited.close()
            limits.redirect(child.log)
            limits.enter(child.scratch)
            faulthandler.enable()  # a crash leaves its Python stack in the log
            serve(socket.socket(fileno=descriptor), self._table, complete=self._complete)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        """Collect what has ended, together with everything it has started."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                break
            child = self._children.pop(ended.si_pid, None)
            if child is not None:
                # While it is a zombie its number, and so its group's, cannot be used again.
                _kill_group(ended.si_pid)
            os.waitpid(ended.si_pid, 0)
            if child is not None:
                _discard(child)
                self._report(
                    {"exited": child.id, "code": None, "signal": ended.si_status}
                    if ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED)
                    else {"exited": child.id, "code": ended.si_status, "signal": None}
                )
        self._kill_strays()

    def _kill_strays(self) -> None:
        """Kill adopted processes that have left the sessions of all living workers.

        They come here when their parent ends. The end of each brings its own children here, and
        the next call.
        """
        for pid in procfs.children(os.getpid()):
            if pid in self._children:
                continue
            try:
                if os.getsid(pid) not in self._children:
                    os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue

    def _report(self, report: dict[str, Any]) -> None:
        # Packets are small and the engine reads them; waiting here ends when it does.
        self._control.setblocking(True)
        try:
            self._control.send(json.dumps(report).encode())
        finally:
            self._control.setblocking(False)

    def _bound_logs(self) -> None:
        for child in self._children.values():
            with contextlib.suppress(OSError):
                if child.log.stat().st_size > LOG_LIMIT:
                    os.truncate(child.log, 0)

    def _end_everything(self) -> None:
        """Kill every descendant, wait for them, and remove the scratch directory."""
        self._selector.unregister(self._control)
        self._control.close()
        for pid in self._children:
            _kill_group(pid)
        deadline = time.monotonic() + _FAREWELL
        while time.monotonic() < deadline:
            try:
                while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                    if (child := self._children.pop(pid, None)) is not None:
                        _discard(child)
            except ChildProcessError:
                break
            for pid in procfs.children(os.getpid()):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            # Their ends wake this up; the timeout is for one that was missed above.
            self._selector.select(0.1)
            _drain(self._wakeup)
        shutil.rmtree(self._scratch, ignore_errors=True)


def load(name: str) -> bool:
    """Import a module for all workers to come; False if it is not installed or fails."""
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            traceback.print_exc()
        return False
    except Exception:
        traceback.print_exc()
        return False
    if name == "duckdb":
        # It opens a default connection, with threads; a worker reopens it when it is used.
        module.default_connection().close()
    return True


def main(
    control: int, table: str, scratch: str, essential: list[str], preload: list[str]
) -> NoReturn:
    """Run as the zygote, with the file descriptor of a SOCK_SEQPACKET socket to the engine."""
    os.set_inheritable(control, False)
    Zygote(socket.socket(fileno=control), table, Path(scratch)).run(essential, preload)


def _ignore(number: int, frame: object) -> None:
    """A handler must exist for a signal to reach the wakeup descriptor."""


def _drain(source: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(BlockingIOError):
        while data := source.recv(4096):
            received += data
    return received


def _kill_group(pid: int) -> None:
    # The process itself too: right after the fork it has no group of its own yet.
    for kill in (os.kill, os.killpg):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _discard(child: Child) -> None:
    shutil.rmtree(child.scratch, ignore_errors=True)
    with contextlib.suppress(OSError):
        if child.log.stat().st_size == 0:
            child.log.unlink()
