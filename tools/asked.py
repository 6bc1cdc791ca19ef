"""What waits to be planned: requests, and pipelines that are planned once more.

Input: requests and executions. Output: for each, its steps; the planning thread takes some of
them at a turn (see `planner.accumulator`).
"""

import threading
from dataclasses import dataclass, field

from executor.results import Outcome
from planner.accumulator import MAX_WEIGHT
from planner.graph import Graph
from tools.batches import Request
from tools.budgets import limits_of
from tools.execution import Execution
from tools.turns import Steps


@dataclass(eq=False)
class Asked:
    """A request on its way to running. It can be cancelled at any time, by any thread."""

    request: Request
    graph: Graph | None = None
    steps: Steps | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _execution: Execution | None = None
    _cancelled: bool = False

    @property
    def weight(self) -> int:
        return len(self.request.job.entries)

    @property
    def alone(self) -> bool:
        return False

    @property
    def large(self) -> bool:
        """Whether compiling it takes so long that it is done on a thread of its own."""
        return len(self.request.pipelines) > MAX_WEIGHT

    @property
    def limited(self) -> bool:
        """Whether its pipelines have limits of their own."""
        limits = limits_of(self.request.evaluate.budget)
        return limits.worker_bytes is not None or limits.pipeline_seconds is not None

    @property
    def cancelled(self) -> bool:
        with self._lock:
            return self._cancelled

    def cancel(self) -> bool:
        """Cancels what runs already; True if nothing does and it has just been given up."""
        with self._lock:
            execution = self._execution
            first = not self._cancelled
            self._cancelled = True
        if execution is not None:
            execution.cancel()
            return False
        return first

    def start(self, execution: Execution) -> bool:
        """From now on cancelling is a matter of `execution`; False if it was given up."""
        with self._lock:
            if not self._cancelled:
                self._execution = execution
            return not self._cancelled


@dataclass(eq=False)
class Again:
    """Pipelines of a running job that have to be planned once more (see `tools.execution`)."""

    execution: Execution
    held: dict[int, Outcome]
    steps: Steps | None = None

    @property
    def weight(self) -> int:
        return len(self.held)

    @property
    def alone(self) -> bool:
        return True

    @property
    def cancelled(self) -> bool:
        return False  # it ends by its job, which runs
