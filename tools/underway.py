"""What the jobs of this process are working on.

Input: plans that were started, and the ends of their jobs. Output: for scores and blocks that
are wanted again, the plan that makes them (see `planner.borrow`). Thread safe.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from planner.borrow import Source
from planner.plan import Value
from tools.jobs import Job

K = TypeVar("K")


class _Index(Generic[K]):
    """The sources of each key, oldest first."""

    def __init__(self) -> None:
        self._found: dict[K, list[Source]] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, keys: Iterable[K], source: Source) -> None:
        for key in keys:
            self._found.setdefault(key, []).append(source)

    def remove(self, keys: Iterable[K], source: Source) -> None:
        for key in keys:
            left = [other for other in self._found.get(key, ()) if other is not source]
            if left:
                self._found[key] = left
            else:
                self._found.pop(key, None)

    def first(self, key: K) -> Source | None:
        found = self._found.get(key)
        return found[0] if found else None


@dataclass(frozen=True)
class Shared:
    """What one batch may take from others: the plans by the keys of its scores, and what finds
    the plan that makes a block."""

    scores: Mapping[str, Source] = field(default_factory=dict)
    making: Callable[[Value], Source | None] = lambda block: None


class Underway:
    """See the module."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scores: _Index[str] = _Index()
        self._blocks: _Index[Value] = _Index()
        self._open: dict[Source, int] = {}  # jobs that have not ended

    def __len__(self) -> int:
        """Plans whose jobs have not all ended."""
        with self._lock:
            return len(self._open)

    def add(self, source: Source, jobs: Sequence[Job]) -> None:
        """The plan of `jobs` has been started. It is forgotten when all of them have ended, and
        what they made is in catalog and store."""
        with self._lock:
            self._open[source] = len(jobs)
            self._scores.add(source.scores, source)
            self._blocks.add(_saves(source), source)
        for job in jobs:
            job.when_finished(lambda: self._ended(source))

    def find(self, keys: Iterable[str]) -> "Shared":
        """The plans that make these scores, as far as there are any, and blocks."""
        with self._lock:
            found = {k: source for k in keys if (source := self._scores.first(k)) is not None}
        return Shared(found, self._making)

    def _making(self, block: Value) -> Source | None:
        with self._lock:
            return self._blocks.first(block)

    def _ended(self, source: Source) -> None:
        with self._lock:
            self._open[source] -= 1
            if self._open[source]:
                return
            del self._open[source]
            self._scores.remove(source.scores, source)
            self._blocks.remove(_saves(source), source)


def _saves(source: Source) -> list[Value]:
    return [value for task in source.plan.tasks for value in task.saves]
