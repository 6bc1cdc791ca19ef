"""What running gives back: per-pipeline outcomes, as the tools report them.

Input: scores, failures and times collected by a job. Output: immutable outcomes.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

from planner.errors import StratumError

Status = Literal["ok", "failed", "timeout", "out_of_memory", "cancelled", "skipped"]

# Error codes that have a status of their own.
STATUS_OF_CODE: dict[str, Status] = {
    "timeout": "timeout",
    "out_of_memory": "out_of_memory",
    "cancelled": "cancelled",
    "skipped": "skipped",
}


@dataclass(frozen=True)
class MetricResult:
    """A metric over folds: plain mean, population standard deviation, and the values."""

    mean: float
    std: float
    folds: tuple[float, ...]

    @classmethod
    def of(cls, seeds: list[list[float]]) -> "MetricResult":
        """From per-seed, per-fold values: a fold's value is its mean over seeds."""
        folds = tuple(math.fsum(values) / len(values) for values in zip(*seeds, strict=True))
        mean = math.fsum(folds) / len(folds)
        variance = math.fsum((value - mean) ** 2 for value in folds) / len(folds)
        return cls(mean, math.sqrt(variance), folds)


@dataclass(frozen=True)
class Outcome:
    """The end of one pipeline of a job.

    `seconds` is worker time spent for it (shared work divided by who shares it);
    `reused_seconds` is what shared or stored work would have cost it again.
    """

    position: int
    status: Status
    metrics: dict[str, MetricResult] = field(default_factory=dict)
    seconds: float = 0.0
    reused_seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    error: StratumError | None = None
