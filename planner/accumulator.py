"""Gathers concurrent calls into batches.

Input: requests put in by any thread. Output: lists of requests to be planned together. An idle
engine adds no latency: the first request goes through at once, and what arrives while it is
being planned, or within a short window of other work, is taken together.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

WINDOW = 0.02  # seconds
MAX_BATCH = 64


class Accumulator(Generic[T]):
    """A queue whose reader gets everything that waits, after a window if the engine is busy.

    `busy` says whether work is running, in which case waiting `window` seconds for company
    costs nothing.
    """

    def __init__(
        self, busy: Callable[[], bool], window: float = WINDOW, limit: int = MAX_BATCH
    ) -> None:
        self._busy = busy
        self._window = window
        self._limit = limit
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: T) -> bool:
        """Adds a request; False if the accumulator is closed."""
        with self._changed:
            if self._closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def take(self) -> list[T]:
        """The next batch, waiting for it; empty once closed and drained."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed)
            if self._items and self._busy():
                end = time.monotonic() + self._window
                self._changed.wait_for(
                    lambda: len(self._items) >= self._limit or self._closed,
                    max(end - time.monotonic(), 0.0),
                )
            count = min(len(self._items), self._limit)
            return [self._items.popleft() for _ in range(count)]

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
