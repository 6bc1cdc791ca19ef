"""The ops of linear models on principal components.

PCA of several sizes in front of Ridge or LinearRegression: the decomposition of the largest size
holds the components of all, and one Gram matrix of its scores those of all models.
`planner.rules.components` says which models that is exact for.
"""

from dataclasses import dataclass
from typing import ClassVar

from planner.expressions import Call
from planner.graph import Op, Plane, Role


@dataclass(frozen=True)
class ComponentModels(Op):
    """Linear models on the first components of the features.

    Inputs: a Decomposition, its features, folds, target. `transformer` is the PCA without
    n_components; `members` are (n_components, estimator). `function` is that of a Fit. Value per
    fold: for each member its predictions (n_valid,), or the error that it ended in.
    """

    transformer: Call
    members: tuple[tuple[int, Call], ...]
    function: str | None = None
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.FIT

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of components, ascending."""
        return tuple(sorted({size for size, _ in self.members}))

    @property
    def label(self) -> str:
        sizes = ", ".join(map(str, self.sizes))
        return f"{len(self.members)} linear models on n_components={sizes} of one PCA"

    @property
    def subject(self) -> str:
        return self.transformer.name


@dataclass(frozen=True)
class ComponentMember(Op):
    """Predictions of one of the models, by its place among the members.

    Input: a ComponentModels. Value per fold: as of a Predict.
    """

    index: int
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.ANSWER

    @property
    def label(self) -> str:
        return f"member {self.index}"

    @property
    def subject(self) -> str:
        return "Predict"
