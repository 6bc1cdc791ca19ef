"""Whose request is planned next, and what is planned together.

Input: requests of many sessions, put in by any thread. Output, for the one thread that plans:
a turn of building one request, or a batch of built requests to be compiled together.

Turns go round the sessions, and within a session round its requests, so that a small request
is built between the turns of a large one. A request that waits for a fact about data takes no
turns. What is built is handed out at once while the engine is idle and nobody else is in line.
While it is busy, waiting for company costs nothing, and it is kept for a short window, which
grows as long as that is worth it.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

LEAST_WINDOW = 0.005  # seconds
MOST_WINDOW = 0.05
MAX_BATCH = 64  # requests
MAX_WEIGHT = 500  # pipelines; compiling more at once would hold up others for long
_PATIENCE = 2  # batches in which smaller requests may overtake a large one


@dataclass(frozen=True)
class Build(Generic[T]):
    """A turn of `item`; afterwards say `more`, `built`, `park` or `drop`."""

    item: T


@dataclass(frozen=True)
class Launch(Generic[T]):
    """Built requests to be compiled together, and how many seconds each has been held: waiting
    for its first turn, and for company."""

    items: list[T]
    held: list[float]


class Window:
    """How long a built request waits for company, in seconds.

    On a busy engine it doubles with every batch that had company, and halves with every one that
    had none, between `least` and `most`; an idle engine sets it back. There a request waits only
    for those that are in line with it, and no longer than `least`.
    """

    def __init__(self, least: float = LEAST_WINDOW, most: float = MOST_WINDOW) -> None:
        self._least = least
        self._most = most
        self._seconds = least

    def seconds(self, busy: bool, in_line: bool) -> float:
        if busy:
            return self._seconds
        return self._least if in_line else 0.0

    def launched(self, count: int, busy: bool) -> None:
        """A batch of `count` requests has been handed out."""
        if not busy:
            self._seconds = self._least
        elif count > 1:
            self._seconds = min(2 * self._seconds, self._most)
        else:
            self._seconds = max(self._seconds / 2, self._least)


@dataclass(eq=False)
class _Entry(Generic[T]):
    item: T
    session: str
    since: float  # it was put in, and later: built
    held: float | None = None  # seconds before its first turn
    weight: int = 1
    passed: int = 0  # batches that left it out


class Accumulator(Generic[T]):
    """See the module. One thread takes; any thread puts.

    Args:
        busy: Whether the engine has no free core. Called with the lock held.
        limit, weight: Requests and pipelines of one batch, at most; one request may be larger.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        busy: Callable[[], bool],
        *,
        window: Window | None = None,
        limit: int = MAX_BATCH,
        weight: int = MAX_WEIGHT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._busy = busy
        self._window = window or Window()
        self._limit = limit
        self._weight = weight
        self._clock = clock
        self._sessions: dict[str, deque[_Entry[T]]] = {}  # in the order of their turns
        self._turns: dict[int, _Entry[T]] = {}  # being built; by identity, as the next one
        self._parked: dict[int, _Entry[T]] = {}
        self._ready: list[_Entry[T]] = []
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        """Requests that are not handed out yet."""
        with self._changed:
            waiting = sum(len(entries) for entries in self._sessions.values())
            return waiting + len(self._turns) + len(self._parked) + len(self._ready)

    @property
    def closed(self) -> bool:
        with self._changed:
            return self._closed

    # -- from any thread ----------------------------------------------------------------------

    def put(self, item: T, session: str = "") -> bool:
        """Adds a request; False if the accumulator is closed."""
        with self._changed:
            if self._closed:
                return False
            self._queue(_Entry(item, session, self._clock()))
            return True

    def unpark(self, item: T) -> None:
        """Gives turns to a parked request again; does nothing for any other."""
        with self._changed:
            entry = self._parked.pop(id(item), None)
            if entry is not None:
                self._queue(entry)

    def hurry(self) -> None:
        """Looks again whether the engine is busy."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Accepts and hands out nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    # -- from the thread that plans -----------------------------------------------------------

    def take(self) -> Build[T] | Launch[T] | None:
        """What to do next, waiting for it; None once closed."""
        with self._changed:
            while True:
                found = self.poll()
                if not isinstance(found, float):
                    return found
                self._changed.wait(None if math.isinf(found) else found)

    def poll(self) -> Build[T] | Launch[T] | float | None:
        """As `take` without waiting: where there is nothing to do, seconds until there may be."""
        with self._changed:
            if self._closed:
                return None
            left = math.inf
            if self._ready:
                busy, now = self._busy(), self._clock()
                window = self._window.seconds(busy, bool(self._sessions))
                left = min(entry.since for entry in self._ready) + window - now
                if left <= 0 or self._full():
                    return self._launch(busy, now)
            for session, entries in self._sessions.items():
                entry = entries.popleft()
                del self._sessions[session]
                if entries:
                    self._sessions[session] = entries  # behind the others
                self._turns[id(entry.item)] = entry
                if entry.held is None:
                    entry.held = self._clock() - entry.since
                return Build(entry.item)
            return left

    def more(self, item: T) -> None:
        """The item needs another turn."""
        with self._changed:
            self._queue(self._turns.pop(id(item)))

    def built(self, item: T, weight: int = 1) -> None:
        """The item can be compiled; `weight` is its number of pipelines."""
        with self._changed:
            entry = self._turns.pop(id(item))
            entry.since, entry.weight = self._clock(), weight
            self._ready.append(entry)
            self._changed.notify_all()

    def park(self, item: T) -> None:
        """The item takes no turns until `unpark`."""
        with self._changed:
            self._parked[id(item)] = self._turns.pop(id(item))

    def drop(self, item: T) -> None:
        """The item has ended."""
        with self._changed:
            del self._turns[id(item)]

    def rest(self) -> list[T]:
        """Takes out all that was not handed out, for whoever closes."""
        with self._changed:
            entries = [*self._turns.values(), *self._parked.values(), *self._ready]
            entries += [entry for queue in self._sessions.values() for entry in queue]
            for held in (self._sessions, self._turns, self._parked, self._ready):
                held.clear()
            return [entry.item for entry in entries]

    def _queue(self, entry: _Entry[T]) -> None:
        self._sessions.setdefault(entry.session, deque()).append(entry)
        self._changed.notify_all()

    def _full(self) -> bool:
        weight = sum(entry.weight for entry in self._ready)
        return len(self._ready) >= self._limit or weight >= self._weight

    def _launch(self, busy: bool, now: float) -> Launch[T]:
        """Small requests first, as a large one takes long to compile; overtaken ones before."""
        order = sorted(self._ready, key=lambda e: (e.passed < _PATIENCE, e.weight, e.since))
        chosen: list[_Entry[T]] = []
        weight = 0
        for entry in order:
            weight += entry.weight
            if chosen and (len(chosen) == self._limit or weight > self._weight):
                break
            chosen.append(entry)
        self._ready = [entry for entry in self._ready if entry not in chosen]
        for entry in self._ready:
            entry.passed += 1
        self._window.launched(len(chosen), busy)
        held = [(entry.held or 0.0) + max(now - entry.since, 0.0) for entry in chosen]
        return Launch([entry.item for entry in chosen], held)
