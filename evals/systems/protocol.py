"""How the runner and a system talk. Input and output: JSON lines.

The runner writes a request file and starts `python -m evals.systems.child REQUEST FD`. The child
writes events to the descriptor FD and reads the words "go" and "bye" from its standard input:

    child: ready (imports are done)      runner: go
    child: result, result, ..., end      runner: bye, once it has read the meters

Whatever libraries print goes to a log file, not into the protocol. Standard library only: this
also runs in the environments of other packages.
"""

import json
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Protocol

from evals.workloads.base import Pipeline, Workload


class Unavailable(Exception):
    """The system cannot run here; the text says why."""


@dataclass(frozen=True)
class Request:
    """What a child is asked to run.

    Attributes:
        adapter: Module of the system.
        options: Options of the system, see there.
        folder: A directory of its own for whatever it keeps.
        cores: Cores to use.
    """

    workload: Workload
    adapter: str
    options: dict[str, Any]
    folder: str
    cores: int

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "Request":
        data = json.loads(path.read_text())
        workload = data.pop("workload")
        pipelines = tuple(Pipeline(**pipeline) for pipeline in workload.pop("pipelines"))
        workload["notes"] = tuple(workload["notes"])
        return cls(workload=Workload(**workload, pipelines=pipelines), **data)


@dataclass
class Channel:
    """The child's end: writes events; may be used from several threads."""

    stream: TextIOWrapper
    began: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def emit(self, event: str, **values: Any) -> None:
        line = json.dumps({"event": event, **values})
        with self._lock:
            self.stream.write(line + "\n")
            self.stream.flush()

    def begin(self) -> None:
        """Tells that imports are done, waits for the word, and starts the clock."""
        self.emit("ready")
        if sys.stdin.readline().strip() != "go":
            raise SystemExit(0)
        self.began = time.perf_counter()

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.began

    def result(
        self,
        pipeline: str,
        scores: list[float] | None = None,
        *,
        at: float | None = None,
        **values: Any,
    ) -> None:
        """A pipeline has ended, now or `at` another moment.

        It has per-fold `scores` (or ``mean=`` alone, where the system tells no more), or an
        ``error=``, or ``uncovered=`` with why the system cannot express it.
        """
        moment = self.elapsed if at is None else at
        self.emit("result", pipeline=pipeline, scores=scores, at=moment, **values)

    def end(self, **values: Any) -> None:
        """All is done. Waits until the runner has read the meters."""
        self.emit("end", seconds=self.elapsed, **values)
        sys.stdin.readline()


class Adapter(Protocol):
    """A system. The class is named `System` in its module."""

    def __init__(self, request: Request) -> None: ...

    def prepare(self) -> None:
        """Imports and process starts; not timed. Raises `Unavailable`."""
        ...

    def run(self, channel: Channel) -> Mapping[str, Any]:
        """Runs all pipelines; gives back extra values of the `end` event."""
        ...

    def close(self) -> None:
        """Ends what `prepare` started."""
        ...
