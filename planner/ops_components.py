"""The ops of linear models on principal components.

PCA in front of Ridge or LinearRegression: the components of all sizes come from the second
moments of the training rows, and so do all models. `planner.rules.components` says which models
that is exact for.
"""

from dataclasses import dataclass
from typing import ClassVar

from planner.expressions import Call, text
from planner.graph import Op, Plane, Role

# n_components of PCA: a number, a share of the variance, or None for all.
Size = int | float | None


@dataclass(frozen=True)
class ComponentFolds(Op):
    """Linear models on the first components of raw columns, of all folds from shared moments.

    Equals ``make_pipeline([SimpleImputer()], [StandardScaler()], PCA(size, ...), model)`` per fold
    and member. Inputs: a whole feature block, folds, target. `transformer` is the PCA without
    n_components; `members` are (n_components, estimator). `function` is that of a Fit. Value: per
    fold what ComponentPath gives.
    """

    transformer: Call
    members: tuple[tuple[Size, Call], ...]
    impute: bool
    scale: bool
    function: str | None = None
    plane: ClassVar[Plane] = Plane.WHOLE
    role: ClassVar[Role] = Role.FIT

    @property
    def label(self) -> str:
        front = "impute, " * self.impute + "scale, " * self.scale
        return f"{front}{_listed(self.members)} over all folds from shared moments"

    @property
    def subject(self) -> str:
        return self.transformer.name


@dataclass(frozen=True)
class ComponentPath(Op):
    """Linear models on the first components of one encoded matrix per fold.

    Inputs: features, folds, target. Value per fold: predictions on the validation rows by
    member, or what a member failed with.
    """

    transformer: Call
    members: tuple[tuple[Size, Call], ...]
    function: str | None = None
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.FIT

    @property
    def label(self) -> str:
        return _listed(self.members)

    @property
    def subject(self) -> str:
        return self.transformer.name


def _listed(members: tuple[tuple[Size, Call], ...]) -> str:
    sizes = list(dict.fromkeys(size for size, _ in members))
    models = dict.fromkeys(text(model) for _, model in members)
    many = f"{len(members)} linear models" if len(models) > 1 else ", ".join(models)
    return f"{many} on n_components={', '.join(map(str, sizes))} of one PCA"
