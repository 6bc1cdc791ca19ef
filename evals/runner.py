"""Runs one system on one workload in a fresh process, and measures it.

Input: a system and a workload. Output: a `SystemRun`, whatever the system does.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from evals import measure
from evals.results import PipelineResult, Status, SystemRun
from evals.systems.protocol import Request
from evals.systems.table import ROOT, System
from evals.workloads.base import Workload

_LOG_LINES = 3  # of the log of a system that crashed
STARTING = 300.0  # seconds for processes to start and import
_READ = 1 << 16


def run_system(
    system: System,
    workload: Workload,
    folder: Path,
    *,
    timeout: float,
    starting: float = STARTING,
    attempt: int = 0,
    progress: Callable[[int], None] = lambda done: None,
) -> SystemRun:
    """One run of a system, in processes of its own.

    Args:
        folder: Scratch space.
        timeout: Wall seconds after which the system is ended.
        starting: Wall seconds for what comes before: imports, and with `timeout` on top the
            first run of a warm system.
        attempt: Which repetition this is; each has a folder of its own.
        progress: Called with the number of pipelines that have ended.
    """
    began = time.perf_counter()
    room = folder / f"{system.name}-{attempt}"
    run = _Child(system, workload, room, timeout, starting, progress).run()
    return replace(run, total_seconds=time.perf_counter() - began)


class _Child:
    """One process that runs a system."""

    def __init__(
        self,
        system: System,
        workload: Workload,
        folder: Path,
        timeout: float,
        starting: float,
        progress: Callable[[int], None],
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._system = system
        self._folder = folder
        self._timeout = timeout
        self._starting = starting + (timeout if system.options.get("warm") else 0)
        self._progress = progress
        self._log = folder / "log.txt"
        self._run = SystemRun(system.name, system.title)
        self._request = Request(
            workload, system.adapter, system.options, str(folder), measure.cores()
        )

    def run(self) -> SystemRun:
        python = self._python()
        if python is None:
            assert self._system.environment is not None
            target = self._system.environment[1]
            return self._ended("unavailable", f"not installed; `make {target}` installs it")
        path = self._folder / "request.json"
        self._request.write(path)
        read, write = os.pipe()
        with open(self._log, "wb") as log, open(read, "rb", buffering=0) as events:
            process = subprocess.Popen(
                [str(python), "-m", "evals.systems.child", str(path), str(write)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(write,),
                env={**os.environ, **self._system.env, "PYTHONPATH": str(ROOT),
                     "PYTHONHASHSEED": "0"},
                start_new_session=True,
            )  # fmt: skip
            os.close(write)
            meter = measure.Meter(process.pid).start()
            try:
                self._converse(process, meter, _Lines(events))
            finally:
                _close(process, meter, self._run.status)
        return self._run

    def _python(self) -> Path | None:
        if self._system.environment is None:
            return Path(sys.executable)
        python = ROOT / self._system.environment[0] / "bin" / "python"
        return python if python.exists() else None

    def _converse(
        self, process: "subprocess.Popen[bytes]", meter: measure.Meter, lines: "_Lines"
    ) -> None:
        began = time.perf_counter()
        deadline = began + self._starting
        while True:
            event = lines.next(deadline - time.perf_counter())
            if event is None:
                late = time.perf_counter() >= deadline
                status: Status = "timeout" if late else "crashed"
                self._used(meter)
                self._ended(status, self._why(process, late))
                return
            match event.pop("event"):
                case "ready":
                    self._run.import_seconds = time.perf_counter() - began
                    meter.mark()
                    deadline = time.perf_counter() + self._timeout
                    _say(process, "go")
                case "result":
                    self._result(event)
                case "end":
                    self._finished(event, meter)
                    _say(process, "bye")
                    return
                case "unavailable":
                    self._ended("unavailable", event["reason"])
                    return
                case "crashed":
                    self._used(meter)
                    self._ended("crashed", event["reason"])
                    return

    def _result(self, event: dict[str, Any]) -> None:
        name = event.pop("pipeline")
        self._run.fits += [
            (f["key"], name, f["model"], f["seconds"]) for f in event.pop("fits", [])
        ]
        if self._run.first_result_seconds is None and (event.get("scores") or event.get("mean")):
            self._run.first_result_seconds = event["at"]
        self._run.results[name] = PipelineResult(**event)
        self._progress(len(self._run.results))

    def _finished(self, event: dict[str, Any], meter: measure.Meter) -> None:
        self._used(meter)
        run = self._run
        run.seconds = event.get("seconds_without_imports", event["seconds"])
        if "imports" in event:
            run.import_seconds = event["imports"]
        run.profile = event.get("profile", {})
        run.backends = event.get("backends", {})
        run.plans = event.get("plans", [])
        run.notes = event.get("notes", [])
        run.repeats = [round(run.seconds or 0.0, 4)]

    def _used(self, meter: measure.Meter) -> None:
        """Notes what was used since the system was ready."""
        run = self._run
        if run.import_seconds is None:
            return
        usage = meter.stop()
        run.seconds, run.cpu_seconds = usage.seconds, usage.cpu_seconds
        run.peak_rss_mb, run.peak_pss_mb = usage.peak_rss_mb, usage.peak_pss_mb

    def _ended(self, status: Status, reason: str) -> SystemRun:
        self._run.status, self._run.reason = status, reason
        return self._run

    def _why(self, process: "subprocess.Popen[bytes]", late: bool) -> str:
        if late and self._run.import_seconds is None:
            return f"not ready after {self._starting:.0f} s"
        if late:
            done, total = len(self._run.results), len(self._request.workload.pipelines)
            return f"not finished after {self._timeout:.0f} s, {done} of {total} answered"
        tail = self._log.read_text(errors="replace").strip().splitlines()[-_LOG_LINES:]
        return f"ended with status {process.wait()}: " + " | ".join(tail)


class _Lines:
    """Events as they arrive on a pipe."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._rest = b""
        self._lines: list[bytes] = []
        self._selector = selectors.DefaultSelector()
        self._selector.register(stream, selectors.EVENT_READ)

    def next(self, seconds: float) -> dict[str, Any] | None:
        """The next event; None at the end of the stream or of the time."""
        deadline = time.monotonic() + seconds
        while not self._lines:
            left = deadline - time.monotonic()
            if left <= 0 or not self._selector.select(left):
                return None
            data = self._stream.read(_READ)
            if not data:
                return None
            *self._lines, self._rest = (self._rest + data).split(b"\n")
        event: dict[str, Any] = json.loads(self._lines.pop(0))
        return event


def end_on_sigterm() -> None:
    """Lets SIGTERM end the command as Ctrl-C does, with the processes that it started."""

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)


def _say(process: "subprocess.Popen[bytes]", word: str) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(word.encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass  # it has just crashed, which the next event tells


def _close(process: "subprocess.Popen[bytes]", meter: measure.Meter, status: Status) -> None:
    """Lets the process end by itself, unless it was late, then ends what is left of its tree."""
    assert process.stdin is not None
    tree = [p for p in meter.processes() if p.pid != process.pid]
    meter.stop()
    process.stdin.close()
    try:
        process.wait(0 if status == "timeout" else 15)
    except subprocess.TimeoutExpired:
        process.terminate()
    # The engine's processes end themselves when it does; they are given a moment.
    _, alive = psutil.wait_procs(tree, timeout=3)
    measure.end(alive)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
