"""The op that stands for predictions which are in the store."""

from dataclasses import dataclass
from typing import ClassVar

from planner.graph import Op, Plane, Role


@dataclass(frozen=True)
class Stored(Op):
    """Predictions of an earlier run, on every fold. No inputs: what they were made from is not
    needed any more. `key` is that of the prediction node before all rules, and of the blocks.
    """

    key: str
    plane: ClassVar[Plane] = Plane.FOLD
    # What a score hangs on, as on a fit; loading it is no work of its own.
    role: ClassVar[Role] = Role.FIT

    @property
    def label(self) -> str:
        return "stored predictions"
