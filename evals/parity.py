"""Are the scores right? Input: a reference run and others. Output: mismatches and deviations.

The reference is the plain scripts at one thread per fit. A score must agree within the tolerance
of its class, relative where it exceeds one. At other numbers of threads boosting libraries give
slightly different trees, and BLAS other sums: where a system leaves threads to the libraries, such
differences are deviations, counted and bounded, not mismatches. Scores that say of themselves that
they are equal in distribution only are bounded in their means, and counted apart.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from evals.results import PipelineResult, SystemRun
from evals.workloads.base import Workload

TOLERANCES = {
    "closed_form": 1e-9,
    "iterative": 1e-6,  # the libraries themselves stop at a tolerance
    "library": 1e-12,  # the same trees; only the sum in the metric may be rounded differently
}
# What another number of threads may change: sums in BLAS, where iterations stop, trees.
THREADS = {"closed_form": 1e-6, "iterative": 1e-4, "library": 0.05}
# What the mean over folds may be off by where kernels stand in: a backstop against nonsense, for
# whether scores are equal in distribution is tested over many seeds (`evals.equivalence`).
STATISTICAL = 0.05


@dataclass(frozen=True)
class Difference:
    """A score that is not the reference's.

    `fold` is None for a mean; `expected` and `got` are None where there was a failure.
    """

    system: str
    pipeline: str
    fold: int | None
    expected: float | None
    got: float | None
    difference: float
    tolerance: float
    reason: str = ""

    def __str__(self) -> str:
        where = "mean" if self.fold is None else f"fold {self.fold}"
        if self.expected is None or self.got is None:
            return f"{self.system}: {self.pipeline}: {self.reason}"
        return (
            f"{self.system}: {self.pipeline}, {where}: {self.got!r} instead of {self.expected!r}"
            f" (differs by {self.difference:.2g}, allowed {self.tolerance:.0e})"
        )


@dataclass
class Parity:
    """What the comparison of one system with the reference found."""

    system: str
    compared: int = 0
    uncovered: int = 0
    largest: float = 0.0
    mismatches: list[Difference] = field(default_factory=list)
    deviations: list[Difference] = field(default_factory=list)
    statistical: list[Difference] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        if self.mismatches:
            return "wrong"
        return "equal" if not self.deviations else "equal up to threads"


def compare(
    workload: Workload,
    reference: Mapping[str, PipelineResult],
    run: SystemRun,
    *,
    one_thread: bool,
) -> Parity:
    """Every pipeline that `reference` has; one that `run` lacks is a mismatch, unless it did not
    end."""
    parity = Parity(run.name)
    for pipeline in workload.pipelines:
        expected = reference.get(pipeline.name)
        if expected is None or (run.partial and pipeline.name not in run.results):
            continue
        got = run.results.get(pipeline.name, PipelineResult(error="no answer"))
        if not got.answered:
            parity.uncovered += 1
            continue
        parity.compared += 1
        if got.statistical and got.error is None:
            _add_statistical(parity, pipeline.name, expected, got)
            continue
        tolerance = TOLERANCES[pipeline.kind]
        worst = _worst(run.name, pipeline.name, expected, got, tolerance)
        if worst is None:
            continue
        parity.largest = max(parity.largest, worst.difference)
        if worst.difference <= tolerance:
            continue
        if not one_thread and worst.difference <= THREADS[pipeline.kind]:
            parity.deviations.append(worst)
        else:
            parity.mismatches.append(worst)
    return parity


def _add_statistical(
    parity: Parity, name: str, expected: PipelineResult, got: PipelineResult
) -> None:
    a = math.nan if expected.score is None else expected.score
    b = math.nan if got.score is None else got.score
    found = Difference(parity.system, name, None, a, b, distance(a, b), STATISTICAL)
    within = found.difference <= STATISTICAL
    (parity.statistical if within else parity.mismatches).append(found)


def _worst(
    system: str, name: str, expected: PipelineResult, got: PipelineResult, tolerance: float
) -> Difference | None:
    """The largest difference between two results; None where both failed."""
    if expected.error is not None or got.error is not None:
        if expected.error is not None and got.error is not None:
            return None
        text = (
            f"failed ({got.error})"
            if got.error is not None
            else f"gave a score where the script fails ({expected.error})"
        )
        return Difference(system, name, None, None, None, math.inf, tolerance, text)
    if expected.scores and got.scores:
        if len(expected.scores) != len(got.scores):
            text = f"{len(got.scores)} folds instead of {len(expected.scores)}"
            return Difference(system, name, None, None, None, math.inf, tolerance, text)
        pairs: list[tuple[int | None, float, float]] = [
            (fold, a, b)
            for fold, (a, b) in enumerate(zip(expected.scores, got.scores, strict=True))
        ]
    else:
        mean, other = expected.score, got.score
        if mean is None or other is None:
            return Difference(system, name, None, None, None, math.inf, tolerance, "no score")
        pairs = [(None, mean, other)]
    found = [
        Difference(system, name, fold, a, b, distance(a, b), tolerance) for fold, a, b in pairs
    ]
    return max(found, key=lambda difference: difference.difference)


def distance(expected: float, got: float) -> float:
    """Absolute for values up to one, relative beyond; NaN equals NaN only."""
    if math.isnan(expected) and math.isnan(got):
        return 0.0
    if math.isnan(expected) or math.isnan(got):
        return math.inf
    if expected == got:
        return 0.0
    return abs(expected - got) / max(1.0, abs(expected))
