"""What a kernel is measured by.

Input: a case of one kernel's module: our work, the same work of libraries, and what the machine
would need at least. Output: a `Row`. All at one thread and in processor time, which other users of
the machine do not change; ours at two threads by the clock.
"""

import ctypes
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

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
class Outcome:
    """What a case measured.

    Attributes:
        ours: Seconds of the kernel at one thread.
        libraries: Seconds by library; None where it is not installed or takes too long.
        limit: Seconds that the machine would need at least.
        difference: Greatest relative difference of a score or value from the library's.
        bound: What `difference` may be.
        declined: How many pieces of work were left to the library (their time is in `ours`).
        two: Seconds by the clock at two threads, and at one; None where threads are of no use.
        peak: Most bytes that the kernel held beside its input and output; None: not measured.
    """

    ours: float
    libraries: Mapping[str, float | None]
    limit: float
    difference: float
    bound: float
    declined: int = 0
    two: tuple[float, float] | None = None
    peak: int | None = None


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


def peak_of(work: Callable[[], Any]) -> int:
    """Bytes by which the process grew at most while `work` ran (its output included)."""
    # What was freed before must not hide what is taken now.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak to what is resident now
    before = _resident("VmHWM")
    work()
    return max(_resident("VmHWM") - before, 0)


def _resident(field_name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field_name):
            return int(line.split()[1]) * 1024
    raise ValueError(field_name)


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
