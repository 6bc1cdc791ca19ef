"""The thread that plans: gives turns to what waits, and launches what is built.

Input: an accumulator of items that are built step by step. Output: calls of whoever builds and
launches them. This thread serves all sessions: nothing that goes wrong with an item may end it.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from planner.accumulator import Accumulator, Build
from planner.schema import FactPending

_LOG = logging.getLogger(__name__)
SLICE = 8  # steps (pipelines) that are taken in one turn

# Each step gives None, or what has to be known before the next one.
Steps = Iterator[FactPending | None]


class Item(Protocol):
    """Something to be built: `steps` is made at its first turn, `weight` known after its last.

    What is `cancelled` is dropped; what is `alone` needs no launch after its last step.
    """

    steps: Steps | None

    @property
    def cancelled(self) -> bool: ...
    @property
    def alone(self) -> bool: ...
    @property
    def weight(self) -> int: ...


T = TypeVar("T", bound=Item)


class Turns(Generic[T]):
    """See the module.

    Args:
        begin: Gives the steps of an item.
        launch: Gets items that are built, and the seconds for which each was held.
        fail: Is told of an item that raised while it was built or launched.
        close: Is told of each item that is left when the accumulator has been closed.
    """

    def __init__(
        self,
        accumulator: Accumulator[T],
        *,
        begin: Callable[[T], Steps],
        launch: Callable[[Sequence[T], Sequence[float]], None],
        fail: Callable[[T, Exception], None],
        close: Callable[[T], None],
    ) -> None:
        self._accumulator = accumulator
        self._begin = begin
        self._launch = launch
        self._fail = fail
        self._close = close
        self._thread = threading.Thread(target=self._loop, name="planner", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout: float) -> None:
        if self._thread.ident is None:  # never started
            self._end()
        else:
            self._thread.join(timeout)

    def _loop(self) -> None:
        while (turn := self._accumulator.take()) is not None:
            if isinstance(turn, Build):
                self._turn(turn.item)
                continue
            try:
                self._launch(turn.items, turn.held)
            except Exception as error:
                for item in turn.items:
                    self._guarded(self._fail, item, error)
        self._end()

    def _end(self) -> None:
        for item in self._accumulator.rest():
            self._guarded(self._close, item)

    def _turn(self, item: T) -> None:
        if item.cancelled:
            self._accumulator.drop(item)
            return
        try:
            pending = self._advance(item)
        except StopIteration:
            if item.alone:
                self._accumulator.drop(item)
            else:
                self._accumulator.built(item, item.weight)
        except Exception as error:
            self._accumulator.drop(item)
            self._guarded(self._fail, item, error)
        else:
            if pending is None:
                self._accumulator.more(item)
            else:
                self._accumulator.park(item)
                pending.then(lambda: self._accumulator.unpark(item))

    def _advance(self, item: T) -> FactPending | None:
        """Some steps of `item`, as far as nothing has to be waited for."""
        if item.steps is None:
            item.steps = self._begin(item)
        for _ in range(SLICE):
            pending = next(item.steps)
            if pending is not None:
                return pending
        return None

    def _guarded(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            function(*arguments)
        except Exception:
            _LOG.exception("the end of a request could not be told")
