"""The interface of a backend.

Input: an op, the values of its inputs, and where it runs. Output: the op's value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from planner.graph import Op


@dataclass(frozen=True)
class Context:
    """Where and with what an op runs.

    Attributes:
        fold: Position of the fold, None for ops that have one value for all rows.
        threads: Cores the op may use.
        datasets: Paths of dataset files (Arrow IPC) by fingerprint.
        memory: Bound for the data backend, such as ``"4GB"``.
    """

    fold: int | None
    threads: int = 1
    datasets: Mapping[str, str] = field(default_factory=dict)
    memory: str = "4GB"

    @property
    def position(self) -> int:
        """The fold, where there must be one."""
        if self.fold is None:
            raise ValueError("this op runs once per fold")
        return self.fold


class Backend(Protocol):
    """Runs ops. Inputs must not be modified; a result must not share memory with them unless
    it is read-only."""

    name: str

    def supports(self, op: Op) -> bool:
        """Whether this backend can run `op` with the semantics of the Python backend."""
        ...

    def run(self, op: Op, inputs: Sequence[Any], context: Context) -> Any:
        """The value of `op`; raises `StratumError` or whatever the library raises."""
        ...
