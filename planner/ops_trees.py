"""The op of fits that a kernel may stand in for, under `fidelity: "statistical"`."""

from dataclasses import dataclass, fields
from typing import ClassVar

from planner.expressions import text
from planner.graph import Op, Plane, Role
from planner.ops import Fit
from planner.ops_prefix import PrefixFit


@dataclass(frozen=True)
class TreesFit(Fit):
    """A Fit whose scores need be equal in distribution only; else as `planner.ops.Fit`.

    Its keys differ from those of a Fit, so that no score of it ever answers an exact request.
    """

    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.FIT

    @classmethod
    def of(cls, fit: Fit) -> "TreesFit":
        return cls(**{field.name: getattr(fit, field.name) for field in fields(fit)})

    @property
    def label(self) -> str:
        return f"{text(self.estimator)} by a kernel, equal in distribution"


def by_kernel(op: Op | None) -> bool:
    """Whether a kernel may stand in for a fit, or for the longest of several."""
    return isinstance(op.fit if isinstance(op, PrefixFit) else op, TreesFit)
