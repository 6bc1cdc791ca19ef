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
class ComponentMember:
    """One model of a group; `target` is the position of its target among the group's."""

    size: Size
    estimator: Call
    target: int = 0


@dataclass(frozen=True)
class ComponentFolds(Op):
    """Linear models on the first components of raw columns, of all folds from shared moments.

    Equals ``make_pipeline([SimpleImputer()], [StandardScaler()], PCA(size, ...), model)`` per fold
    and member. Inputs: a whole feature block, folds, targets. `transformer` is the PCA without
    n_components. `functions` are those of a Fit, by target. Value: per fold what ComponentPath
    gives.
    """

    transformer: Call
    members: tuple[ComponentMember, ...]
    impute: bool
    scale: bool
    functions: tuple[str | None, ...] = (None,)
    plane: ClassVar[Plane] = Plane.WHOLE
    role: ClassVar[Role] = Role.FIT

    @property
    def optional(self) -> int:
        return len(self.functions)

    @property
    def label(self) -> str:
        front = "impute, " * self.impute + "scale, " * self.scale
        return f"{front}{_listed(self)} over all folds from shared moments"

    @property
    def subject(self) -> str:
        return self.transformer.name


@dataclass(frozen=True)
class ComponentPath(Op):
    """Linear models on the first components of one encoded matrix per fold.

    Inputs: features, folds, targets. Value per fold: predictions on the validation rows by
    member, or what a member failed with.
    """

    transformer: Call
    members: tuple[ComponentMember, ...]
    functions: tuple[str | None, ...] = (None,)
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.FIT

    @property
    def optional(self) -> int:
        return len(self.functions)

    @property
    def label(self) -> str:
        return _listed(self)

    @property
    def subject(self) -> str:
        return self.transformer.name


def _listed(op: ComponentFolds | ComponentPath) -> str:
    sizes = sorted({member.size for member in op.members}, key=in_order)
    models = dict.fromkeys(text(member.estimator) for member in op.members)
    many = f"{len(op.members)} linear models" if len(models) > 1 else ", ".join(models)
    targets = f" of {len(op.functions)} targets" if len(op.functions) > 1 else ""
    return f"{many}{targets} on n_components={', '.join(map(str, sizes))} of one PCA"


def in_order(size: Size) -> float:
    return float("inf") if size is None else size
