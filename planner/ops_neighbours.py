"""The ops of nearest-neighbour models that look for their neighbours together.

Models on the same rows that differ in how many neighbours they ask, and how these are weighed,
find them in one search. `planner.rules.neighbours` says which models those are.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from planner.expressions import Call, text, with_params
from planner.graph import Op, Plane, Role
from planner.ops import Fit


@dataclass(frozen=True)
class NeighbourFits(Op):
    """Nearest-neighbour models by (n_neighbors, weights), on the same rows.

    Inputs: those of a Fit. `fit` is any of the fits, without these two parameters. Value per
    fold: the fitted models, in the order of `members`.
    """

    fit: Fit
    members: tuple[tuple[int, str], ...]
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.FIT

    @property
    def estimator(self) -> Call:
        return self.fit.estimator

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of neighbours, ascending."""
        return tuple(sorted({size for size, _ in self.members}))

    def at(self, size: int, weights: str) -> Fit:
        """The fit of one member."""
        call = with_params(self.estimator, n_neighbors=size, weights=weights)
        return replace(self.fit, estimator=call)

    @property
    def label(self) -> str:
        sizes = ", ".join(map(str, self.sizes))
        return f"{text(self.estimator)}, n_neighbors={sizes} from one search"

    @property
    def subject(self) -> str:
        return self.estimator.name


@dataclass(frozen=True)
class NeighbourModel(Op):
    """One of the models of a NeighbourFits, by its place among the members. Input: that."""

    index: int
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.ANSWER

    @property
    def label(self) -> str:
        return f"model {self.index}"
