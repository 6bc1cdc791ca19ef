"""The ops of encoders that read dictionary codes, and of feature blocks made in one pass.

A column of text is turned into codes once for all folds, encoders and pipelines; what an encoder
learns of the training rows of a fold are then counts of codes. `planner.rules.encoders` says
which steps these ops stand for.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from planner.expressions import Call, text
from planner.graph import Op, Plane, Role

_MAX_BRANCHES = 3  # in a label


@dataclass(frozen=True)
class Codes(Op):
    """Dictionary codes of columns. Input: a relation.

    Value: for each column ``(codes, categories)``: (n,) int32, and the sorted distinct values,
    NaN last; None for a column of a type that is not coded.
    """

    names: tuple[str, ...]
    plane: ClassVar[Plane] = Plane.WHOLE

    @property
    def label(self) -> str:
        return f"codes of {len(self.names)} columns"


@dataclass(frozen=True)
class CodedEncode(Op):
    """An `Encode` of columns by an encoder of categories, which reads their codes.

    Inputs: columns, folds, their codes, and the target if `supervised`. Value per fold: as of an
    Encode.
    """

    transformer: Call
    supervised: bool
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.FEATURES

    @property
    def label(self) -> str:
        return text(self.transformer)

    @property
    def subject(self) -> str:
        return self.transformer.name


@dataclass(frozen=True)
class EncodeBlock(Op):
    """Branches side by side, as `Concat` stacks them, with the steps in front of it.

    `steps` are the transformers of each branch, none for a block that is stacked as it is;
    `nodes` the keys of the Encode nodes that they stand for, under which failures are told.
    Inputs: folds, the block of each branch, and the codes of each branch with an encoder of
    categories, in order. Value per fold: the pair (training features, validation features).
    """

    steps: tuple[tuple[Call, ...], ...]
    sparse_threshold: float | None = 0.3
    nodes: tuple[tuple[str, ...], ...] = field(default=(), repr=False, compare=False)
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.FEATURES

    @property
    def label(self) -> str:
        shown = [" > ".join(call.name for call in calls) or "columns" for calls in self.steps]
        more = f", ... ({len(shown)})" if len(shown) > _MAX_BRANCHES else ""
        return "concat " + ", ".join(shown[:_MAX_BRANCHES]) + more

    @property
    def subject(self) -> str:
        return "encoded columns"

    @property
    def coded(self) -> tuple[bool, ...]:
        """Whether each branch reads codes."""
        return tuple(bool(calls) and calls[-1].name in CODED for calls in self.steps)


# Encoders of categories that can read codes.
CODED = frozenset({"OneHotEncoder", "OrdinalEncoder", "TargetEncoder"})
