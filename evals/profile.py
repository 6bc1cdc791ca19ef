"""Where the time of a Stratum run goes. Input: an engine. Output: seconds by kind of work.

In workers: read (files into datasets), data (queries), features, fit:<model>, predict, score;
blocks (intermediates loaded and saved, and whatever else a task does besides its operations, such
as what failed);
messages (what the engine saw a task take beyond that). In the engine, processor time: planning,
scheduling, recording (the catalog), other threads. Idle is what is left of cores x wall time.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from evals.kinds import ENGINE
from executor.running import Running
from planner.graph import Op, Role
from planner.ops import Fit, Materialise
from planner.plan import Task
from tools.engine import Engine

_ROLES = {
    Role.INPUT: "features",
    Role.SPLIT: "features",
    Role.FEATURES: "features",
    Role.ANSWER: "predict",
    Role.SCORE: "score",
}
_CALLS = {"ingest": "read", "profile": "read", "query": "data", "statistics": "data"}
# Kinds by the names of the engine's threads.
_THREADS = {"planner": "planning", "scheduler": "scheduling", "recorder": "recording"}


class Recorder:
    """Listens to the scheduler of one engine between `begin` and `end`.

    Attributes:
        backends: Seconds of operations by the backend that ran them.
    """

    def __init__(self, cores: int) -> None:
        self.backends: defaultdict[str, float] = defaultdict(float)
        self._cores = cores
        self._kinds: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()
        self._worker = self._wall = 0.0
        self._used: dict[str, float] = {}
        self._listening = False

    def begin(self, engine: Engine) -> None:
        engine.scheduler.observer = self._observe
        self._listening = True
        self._wall, self._used = time.perf_counter(), processor()

    def end(self) -> dict[str, float]:
        """Seconds by kind; and ``wall``, ``cores``, and ``worker``: from the start of each task
        to its answer, summed up."""
        wall = time.perf_counter() - self._wall
        after = processor()
        with self._lock:
            self._listening = False
            found = dict(self._kinds)
            worker = self._worker
        for kind in ENGINE:
            found[kind] = max(after[kind] - self._used[kind], 0.0)
        engine = sum(found[kind] for kind in ENGINE)
        found["idle"] = max(self._cores * wall - worker - engine, 0.0)
        found |= {"wall": wall, "cores": float(self._cores), "worker": worker}
        return {name: round(value, 4) for name, value in found.items()}

    def _observe(self, running: Running, answer: Any, seconds: float) -> None:
        """On the scheduler's thread."""
        with self._lock:
            if not self._listening:
                return
            self._worker += seconds
            if running.task is None:
                self._kinds[_CALLS.get(running.function, "read")] += seconds
                return
            used = add(self._kinds, self.backends, running.task, answer)
            # A task may begin a moment before the engine notes that it has.
            inside = min(float(answer.get("wall", seconds)), seconds)
            self._kinds["blocks"] += max(inside - used, 0.0)
            self._kinds["messages"] += seconds - inside


def processor() -> dict[str, float]:
    """Processor seconds of this process so far, by kind; threads that are not there yet have
    used none."""
    found = dict.fromkeys(ENGINE, 0.0)
    for thread in threading.enumerate():
        kind = _THREADS.get(thread.name)
        if kind is not None and thread.ident is not None:
            found[kind] += time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    found["other"] = time.process_time() - sum(found.values())
    return found


def add(
    kinds: defaultdict[str, float],
    backends: defaultdict[str, float],
    task: Task,
    answer: Mapping[str, Any],
) -> float:
    """Adds the operations of a finished task to `kinds` and `backends`; gives back their sum."""
    total = 0.0
    for _, backend, seconds, position, *_ in answer.get("timings", ()):
        kinds[_kind(task.instructions[position].op)] += float(seconds)
        backends[backend] += float(seconds)
        total += float(seconds)
    return total


def _kind(op: Op) -> str:
    if op.role is Role.FIT:
        return f"fit:{op.subject}" + ("" if isinstance(op, Fit) else " (group)")
    return "data" if isinstance(op, Materialise) else _ROLES[op.role]
