"""What a kernel is measured by.

Input: a case of one kernel's module: our work, the same work of libraries, and what the machine
would need at least. Output: an `Outcome`. At one thread in processor time, which other users of
the machine do not change; at two threads by the clock.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

Clock = Callable[[Callable[[], Any]], float]  # seconds of work, by a clock of its choice

_RUNS = 3
_ENOUGH = 1.0  # seconds after which a measurement is not repeated


@dataclass(frozen=True)
class Machine:
    """What the machine can do with one thread.

    Attributes:
        bandwidth: Bytes of memory a second, read and written.
        rate: Floating-point operations a second, float64, in matrix products.
    """

    bandwidth: float
    rate: float

    def seconds(self, moved: float = 0.0, products: float = 0.0) -> float:
        """The least time to move so many bytes or do so many operations."""
        return max(moved / self.bandwidth, products / self.rate)


@dataclass(frozen=True)
class Target:
    """The least speed-up that a case is to have, over one of its libraries by name."""

    times: float
    over: str = "scikit-learn"


@dataclass(frozen=True)
class Two:
    """Seconds by the clock at two threads.

    Attributes:
        ours: Of the kernel.
        alone: Of the kernel at one thread.
        library: The name of the library.
        theirs: Of the library; at one thread if it has no use for more.
    """

    ours: float
    alone: float
    library: str
    theirs: float


@dataclass(frozen=True)
class Memory:
    """Bytes.

    Attributes:
        added: By which the process grew at most while the kernel ran, less its results.
        given: What the kernel was given to read.
    """

    added: int
    given: int


@dataclass(frozen=True)
class Outcome:
    """What a case measured.

    Attributes:
        ours: Seconds of the kernel at one thread.
        libraries: Seconds by library, or why there are none.
        limit: Seconds that the machine would need at least.
        difference: Greatest relative difference of a score or value from the library's.
        bound: What `difference` may be.
        declined: How many pieces of work were left to the library (their time is in `ours`).
        two: At two threads; None of a kernel that has no use for them.
    """

    ours: float
    libraries: Mapping[str, float | str]
    limit: float
    difference: float
    bound: float
    memory: Memory
    declined: int = 0
    two: Two | None = None


@dataclass(frozen=True)
class Case:
    """A row of the table: `measure` does the work of `name` on both sides."""

    kernel: str
    name: str
    measure: Callable[[Machine], Outcome] = field(repr=False)
    targets: tuple[Target, ...] = ()


def seconds_of(work: Callable[[], Any]) -> float:
    """Processor time: the median of three runs, of fewer if those took long."""
    return _median_of(work, time.process_time)


def clock_seconds_of(work: Callable[[], Any]) -> float:
    """Time by the clock: the median of three runs, of fewer if those took long."""
    return _median_of(work, time.perf_counter)


def _median_of(work: Callable[[], Any], clock: Callable[[], float]) -> float:
    taken: list[float] = []
    while len(taken) < _RUNS and sum(taken) < _ENOUGH:
        began = clock()
        work()
        taken.append(clock() - began)
    return median(taken)


def both_threads(
    work: Callable[[int], Any], library: str, theirs: float | Callable[[], float]
) -> Two:
    """`work` is told its threads; `theirs` measures a library by the clock, or is its seconds at
    one thread, where it would use no more."""
    ours, alone = clock_seconds_of(lambda: work(2)), clock_seconds_of(lambda: work(1))
    if callable(theirs):
        with threadpool_limits(2):
            theirs = theirs()
    return Two(ours, alone, library, theirs)


def relative_difference(found: Any, wanted: Any) -> float:
    """Greatest |found - wanted| / |wanted| over all entries; NaN equals NaN."""
    found, wanted = np.asarray(found, dtype=float), np.asarray(wanted, dtype=float)
    gap = np.abs(found - wanted)
    gap[np.isnan(found) & np.isnan(wanted)] = 0.0
    scale = np.maximum(np.abs(wanted), np.finfo(float).tiny)
    return float(np.max(gap / scale, initial=0.0))


def machine_limits() -> Machine:
    block = np.ones(1 << 24)
    target = np.zeros_like(block)
    np.copyto(target, block)  # the first touch of a page is not what is measured
    copied = seconds_of(lambda: np.copyto(target, block))
    square = np.random.default_rng(0).normal(size=(1024, 1024))
    multiplied = seconds_of(lambda: square @ square)
    return Machine(2 * block.nbytes / copied, 2 * 1024**3 / multiplied)
