"""The op of the hold-out: the rows that the server keeps aside from every fold.

It stands between the prepared table and `planner.ops.Folds`, and only where a hold-out is asked
for, so that the keys of all other pipelines are what they were.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from planner.graph import Op, Plane

# How the rows are chosen: drawn by row, drawn by group, or the last ones in row order.
Draw = Literal["rows", "groups", "last"]

# The name of the splitter (of `Folds`) whose one fold is (rows outside, rows inside). Its
# parameters are `gap` and `max_train_size`, with the meaning that TimeSeriesSplit gives them.
CONFIRM = "HoldoutSplit"


@dataclass(frozen=True)
class HoldoutRows(Op):
    """Row positions outside and inside of the hold-out.

    Input: the relation narrowed to the columns named here (possibly none: rows only).
    Value: a pair of sorted int64 arrays. Those inside are the test rows of scikit-learn's
    ``train_test_split(test_size=fraction, random_state=seed)`` (with ``stratify``, if `target`
    names a column), of ``GroupShuffleSplit(1, test_size=fraction, random_state=seed)``, or the
    last ``ceil(fraction * n)`` of all n rows.
    """

    draw: Draw
    fraction: float
    seed: int = 0
    target: str | None = None
    groups: str | None = None
    plane: ClassVar[Plane] = Plane.WHOLE

    @property
    def label(self) -> str:
        return f"hold-out {self.text}"

    @property
    def text(self) -> str:
        """Such as ``0.2 (seed 0, stratified)``; equal texts draw equal rows of equal tables."""
        if self.draw == "last":
            return f"{self.fraction:g} (the last rows)"
        more = ", stratified" if self.target is not None else ""
        if self.groups is not None:
            more += f", whole groups of {self.groups}"
        return f"{self.fraction:g} (seed {self.seed}{more})"
