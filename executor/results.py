"""What running gives back: results of tasks, and per-pipeline outcomes as the tools report them.

Input: the answer of a worker, which is checked here; scores, failures and times collected by a
job. Output: immutable results and outcomes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from executor.catalog_rows import ScoreRow
from planner.errors import ExecutionError, SpecError, StratumError
from planner.plan import Task, Value

Status = Literal["ok", "failed", "timeout", "out_of_memory", "cancelled", "skipped"]

# Error codes that have a status of their own.
STATUS_OF_CODE: dict[str, Status] = {
    "timeout": "timeout",
    "out_of_memory": "out_of_memory",
    "cancelled": "cancelled",
    "skipped": "skipped",
}


@dataclass(frozen=True)
class TaskResult:
    """What one run of a task gave.

    Attributes:
        scores: Those that could be computed.
        saved: (block name, bytes of the file, seconds to compute), as far as they could be.
        warnings, failures: By key of the node that caused them.
        unreadable: Names of input blocks that could not be read; then nothing was run.
    """

    scores: dict[Value, float] = field(default_factory=dict)
    saved: tuple[tuple[str, int, float], ...] = ()
    warnings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    failures: dict[str, StratumError] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()

    @classmethod
    def of(cls, task: Task, answer: Any) -> "TaskResult":
        """The answer of `executor.program.run`, as far as it is about `task`.

        It comes from a process that may have run code of an agent: what was not asked for is
        left out.

        Raises:
            ExecutionError: `internal_error` if it is no such answer.
        """
        wanted = set(task.scores)
        blocks = {value.name for value in (*task.saves, *task.offers)}
        inputs = {value.name for value in task.loads}
        try:
            scores = {Value(key, fold): float(score) for key, fold, score in answer["scores"]}
            saved = [(str(n), int(size), float(cost)) for n, size, cost in answer["saved"]]
            warnings = {
                str(key): tuple(str(text) for text in texts)
                for key, texts in answer["warnings"].items()
            }
            failures = {str(key): _error(data) for key, data in answer["failures"].items()}
            unreadable = tuple(n for n in answer.get("unreadable", ()) if n in inputs)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise ExecutionError(
                "internal_error",
                "The worker gave an answer that cannot be read.",
                hint="Send the pipeline again; report it if it happens again.",
            ) from None
        return cls(
            {value: score for value, score in scores.items() if value in wanted},
            tuple(entry for entry in saved if entry[0] in blocks),
            warnings,
            failures,
            unreadable,
        )


def _error(data: dict[str, str]) -> StratumError:
    kind = SpecError if data["code"].startswith(("unknown_", "invalid_")) else ExecutionError
    return kind(data["code"], data["message"], path=data.get("path", ""), hint=data.get("hint", ""))


@dataclass(frozen=True)
class MetricResult:
    """A metric over folds: plain mean, population standard deviation, and the values."""

    mean: float
    std: float
    folds: tuple[float, ...]

    @classmethod
    def of(cls, seeds: Sequence[Sequence[float]]) -> "MetricResult":
        """From per-seed, per-fold values: a fold's value is its mean over seeds."""
        folds = tuple(_mean(values) for values in zip(*seeds, strict=True))
        mean = _mean(folds)
        # `**` would raise where the square overflows.
        variance = _mean([(value - mean) * (value - mean) for value in folds])
        return cls(mean, math.sqrt(variance), folds)


def _mean(values: Sequence[float]) -> float:
    try:
        return math.fsum(values) / len(values)
    except (OverflowError, ValueError):  # beyond the largest float, or opposite infinities
        return sum(values) / len(values)


@dataclass(frozen=True)
class Outcome:
    """The end of one pipeline of a job.

    Attributes:
        seconds: Worker time spent for it (shared work divided by who shares it).
        reused_seconds: What shared or stored work would have cost it besides.
        error, node: Why it has no scores, and the key of the node that failed, if one did.
        fresh: Scores that were computed for it, a row for each metric and seed; also those of
            a pipeline that failed later.
    """

    position: int
    status: Status
    metrics: dict[str, MetricResult] = field(default_factory=dict)
    seconds: float = 0.0
    reused_seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    error: StratumError | None = None
    node: str = ""
    fresh: tuple[ScoreRow, ...] = ()
