"""Ops that combine the predictions of several pipelines on the same folds.

Their inputs are the folds, then the prediction nodes of all members, each member's seeds side by
side; `counts` says how many of them belong to each member. A member with several seeds counts as
the mean of its seeds.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from planner.graph import Op, Plane, Role
from planner.ops import Method, Task


@dataclass(frozen=True)
class Blend(Op):
    """The mean of the members' predictions on the validation rows of each fold, or of their
    ranks there (scipy's ``rankdata`` with ties averaged), over the number of rows.

    `weights` are one a member, in proportion, or none for equal ones. `method` is what the
    result is scored as: labels (``predict`` of a classification) are those of the greatest mean
    probability, averaged ranks of a binary task count as decision values. Value per fold: as of
    `Predict`.
    """

    how: Literal["mean", "rank_mean"]
    counts: tuple[int, ...]
    weights: tuple[float, ...]
    method: Method
    plane: ClassVar[Plane] = Plane.FOLD
    # Not an answer: it comes from several fits, and so has a task of its own.
    role: ClassVar[Role] = Role.FIT

    @property
    def label(self) -> str:
        what = "mean" if self.how == "mean" else "mean rank"
        weighted = "weighted " if self.weights else ""
        return f"{weighted}{what} of {len(self.counts)}"

    @property
    def subject(self) -> str:
        return f"blend ({self.how})"


@dataclass(frozen=True)
class OutOfFold(Op):
    """The members' predictions for all rows, each made by the models that have not seen it.

    Value: (n, columns) floats: a column a member for values, and for binary tasks for the
    probability of the greater class; else a column a member and class, in the sorted order of
    all classes, 0 where a fold's model does not know one. The validation rows must partition
    the rows that any fold uses; `stack_needs_partition` if they do not.
    """

    counts: tuple[int, ...]
    task: Task
    plane: ClassVar[Plane] = Plane.WHOLE
    role: ClassVar[Role] = Role.FEATURES

    @property
    def label(self) -> str:
        return f"out-of-fold predictions of {len(self.counts)}"

    @property
    def subject(self) -> str:
        return "blend (stack)"


@dataclass(frozen=True)
class WithHeldOut(Op):
    """The out-of-fold predictions of a stack, and beside them what the members, fitted on all
    rows outside the hold-out, predict for the rows inside.

    Inputs: the one fold (rows outside, rows inside), an `OutOfFold` of the rows outside, then the
    members' predictions of that one fold. Value: (n, columns) as of `OutOfFold`.
    """

    counts: tuple[int, ...]
    task: Task
    plane: ClassVar[Plane] = Plane.WHOLE
    role: ClassVar[Role] = Role.FEATURES

    @property
    def label(self) -> str:
        return f"out-of-fold and hold-out predictions of {len(self.counts)}"

    @property
    def subject(self) -> str:
        return "blend (stack)"
