"""Where the time of a Stratum run goes. Input: an engine. Output: seconds by kind of work.

Kinds: read (files into datasets), data (queries), features, fit:<model>, predict, score, blocks
(intermediates saved, loaded and sent, and everything else of a task besides its instructions),
planning, scheduling (processor time of the engine process besides planning), idle (what is left
of cores x wall time). All but planning and scheduling are measured in the workers.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from executor.queue import Running
from planner.ops import Fit, RidgeFolds, RidgePath
from planner.plan import Task
from tools.engine import Engine
from tools.jobs import Job

_KINDS = {
    "Materialise": "data",
    "Columns": "features",
    "Vector": "features",
    "MapTarget": "features",
    "FitTarget": "features",
    "Folds": "features",
    "Apply": "features",
    "Encode": "features",
    "Concat": "features",
    "Member": "predict",
    "Predict": "predict",
    "Score": "score",
}
_CALLS = {"ingest": "read", "profile": "read", "query": "data", "statistics": "data"}
_GROUPS = {"RidgeFolds": "fit:Ridge (group)", "RidgePath": "fit:Ridge (group)"}


class Recorder:
    """Listens to the scheduler of one engine between `begin` and `end`."""

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._kinds: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()
        self._worker = self._planning = self._wall = self._cpu = 0.0
        self._listening = False

    def begin(self, engine: Engine) -> None:
        engine.scheduler.observer = self._observe
        self._listening = True
        self._planning = 0.0
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def planned(self, plan: Callable[[], Job]) -> Job:
        """Times the planning of a request."""
        began = time.perf_counter()
        job = plan()
        self._planning += time.perf_counter() - began
        return job

    def end(self) -> dict[str, float]:
        """Seconds by kind, and ``wall``, ``cores``."""
        wall = time.perf_counter() - self._wall
        cpu = time.process_time() - self._cpu
        with self._lock:
            self._listening = False
            found = dict(self._kinds)
            worker = self._worker
        found["planning"] = self._planning
        found["scheduling"] = max(cpu - self._planning, 0.0)
        used = worker + found["planning"] + found["scheduling"]
        found["idle"] = max(self._cores * wall - used, 0.0)
        found["wall"] = wall
        found["cores"] = float(self._cores)
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
            used = add(self._kinds, running.task, answer)
            self._kinds["blocks"] += max(seconds - used, 0.0)


def add(kinds: defaultdict[str, float], task: Task, answer: Mapping[str, Any]) -> float:
    """Adds the instructions of a finished task to `kinds`; gives back their sum."""
    models = [i.op.estimator.name for i in task.instructions if isinstance(i.op, Fit)]
    fits = iter(models)
    total = 0.0
    for op, _, seconds in answer.get("timings", ()):
        if op == Fit.__name__:
            kind = f"fit:{next(fits, models[-1])}"
        elif op in (RidgeFolds.__name__, RidgePath.__name__):
            kind = _GROUPS[op]
        else:
            kind = _KINDS.get(op, "features")
        kinds[kind] += float(seconds)
        total += float(seconds)
    return total
