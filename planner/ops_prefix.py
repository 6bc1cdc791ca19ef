"""The ops of fits that are beginnings of one longer fit.

A boosting model of 100 rounds is the first half of the one of 200 rounds, and a forest of 100
trees the first half of the one of 200, as long as nothing depends on how many there will be.
`planner.rules.prefixes` says when that is so.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from planner.expressions import Call, text, with_params
from planner.graph import Op, Plane, Role
from planner.ops import Fit, Method


@dataclass(frozen=True)
class PrefixFit(Op):
    """`fit`, of the most rounds or trees asked for, which also stands for every smaller one.

    Inputs: those of a Fit. Value per fold: for each of `sizes` (ascending; the last is that of
    `fit`) the fitted model, or the error that fitting it ended in. `parameter` is the name of
    the estimator's parameter that counts rounds or trees.
    """

    fit: Fit
    parameter: str
    sizes: tuple[int, ...]
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.FIT

    @property
    def estimator(self) -> Call:
        """The largest of the estimators, the one that is fitted."""
        return self.fit.estimator

    def at(self, size: int) -> Fit:
        """The fit that the first `size` rounds or trees stand for."""
        return replace(self.fit, estimator=with_params(self.estimator, **{self.parameter: size}))

    def member(self, index: int) -> Fit:
        """The fit of the size at `index`."""
        return self.at(self.sizes[index])

    @property
    def label(self) -> str:
        asked = ", ".join(map(str, self.sizes[:-1]))
        return f"{text(self.estimator)}, which also serves {self.parameter}={asked}"

    @property
    def subject(self) -> str:
        return self.estimator.name


@dataclass(frozen=True)
class PrefixPredict(Op):
    """Predictions of one of the models of a PrefixFit, by its place among the sizes; else as
    `planner.ops.Predict`. Input: a PrefixFit."""

    methods: tuple[Method, ...]
    index: int
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.ANSWER
    kept: ClassVar[bool] = True

    @property
    def label(self) -> str:
        return f"predict, size {self.index}"

    @property
    def subject(self) -> str:
        return "Predict"
